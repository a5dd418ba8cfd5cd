package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.DType;
import dev.fovea.LinearAttention;
import dev.fovea.LinearCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;

/** The node tests of ONNX LinearAttention: all update rules, grouped heads, a past state. */
class OnnxConformanceTest {

  private static final String OPERATOR = "linear_attention";

  private static Tensor tensor(Scope scope, DType type, Array array, long... shape) {
    return array == null ? null : scope.allocate(type, shape).copyFrom(array.values());
  }

  private static void run(OnnxNode node, TestDevice on) {
    Array query = node.input("query");
    Array key = node.input("key");
    Array value = node.input("value");
    Array decay = node.input("decay");
    DType type = query.type();
    long batch = query.shape()[0];
    long length = query.shape()[1];
    long heads = node.integer("q_num_heads", 0);
    long keyHeads = node.integer("kv_num_heads", 0);
    long dim = query.shape()[2] / heads;
    long valueDim = value.shape()[2] / keyHeads;
    float given = node.number("scale", 0);
    LinearAttention attention =
        LinearAttention.retention().toBuilder()
            .scale(given == 0 ? 1 / Math.sqrt(dim) : given)
            .build();
    String rule = node.text("update_rule", "gated_delta");
    try (Scope scope = Scope.open(on.device())) {
      LinearCall call =
          attention.call(
              tensor(scope, type, query, batch, length, heads, dim),
              tensor(scope, type, key, batch, length, keyHeads, dim),
              tensor(scope, type, value, batch, length, keyHeads, valueDim));
      if (rule.startsWith("gated") && decay.shape()[2] == keyHeads) {
        call.decay(tensor(scope, type, decay, batch, length, keyHeads));
      } else if (rule.startsWith("gated")) {
        call.keyDecay(tensor(scope, type, decay, batch, length, keyHeads, dim));
      }
      if (rule.endsWith("delta")) {
        call.beta(tensor(scope, type, node.input("beta"), batch, length, keyHeads));
      }
      Array past = node.input("past_state");
      call.initialState(tensor(scope, DType.FLOAT32, past, batch, keyHeads, dim, valueDim));
      Tensor state = scope.allocate(DType.FLOAT32, batch, keyHeads, dim, valueDim);
      Tensor out = call.finalState(state).forward(scope);
      // Of numbers up to 8; float16 rounds inputs between its steps, and the outputs.
      float room = type == DType.FLOAT16 ? 4e-3f : 4e-6f;
      assertArrayEquals(node.output("output").values(), out.toFloatArray(), room, node.name());
      assertArrayEquals(
          node.output("present_state").values(), state.toFloatArray(), room, node.name());
    }
  }

  @OnEveryDevice
  void nodeTests(TestDevice on) throws IOException {
    on.device();
    for (Path folder : OnnxNode.folders(OPERATOR)) {
      run(OnnxNode.read(folder), on);
    }
  }
}
