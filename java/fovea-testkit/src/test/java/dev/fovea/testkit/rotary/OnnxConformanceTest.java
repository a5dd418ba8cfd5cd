package dev.fovea.testkit.rotary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.DType;
import dev.fovea.RotaryEmbedding;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The node tests of ONNX RotaryEmbedding: heads apart or in one row, positions or a table for each
 * sequence, a part of each row.
 */
class OnnxConformanceTest {

  private static final String OPERATOR = "rotary_embedding";

  private static Tensor tensor(Scope scope, Array array) {
    return scope.allocate(array.type(), array.shape()).copyFrom(array.values());
  }

  /** As rows [B, S, H, D] of the memory that ONNX has. */
  private static Tensor rows(OnnxNode node, Tensor x) {
    if (x.rank() == 4) {
      return x.permute(0, 2, 1, 3);
    }
    long heads = node.integer("num_heads", 0);
    return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads);
  }

  private static Tensor positions(Scope scope, Array array) {
    if (array == null) {
      return null;
    }
    int[] positions = new int[array.values().length];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = (int) array.values()[i];
    }
    return scope.copyOf(positions, array.shape());
  }

  private static void run(OnnxNode node, TestDevice on) {
    Array input = node.input("input");
    RotaryEmbedding embedding =
        node.integer("interleaved", 0) == 1
            ? RotaryEmbedding.interleaved()
            : RotaryEmbedding.halfSplit();
    try (Scope scope = Scope.open(on.device())) {
      Tensor out = scope.allocate(input.type(), input.shape());
      embedding
          .call(
              rows(node, tensor(scope, input)),
              tensor(scope, node.input("cos_cache")),
              tensor(scope, node.input("sin_cache")))
          .positions(positions(scope, node.input("position_ids")))
          .out(rows(node, out))
          .run();
      float room = input.type() == DType.FLOAT16 ? 2e-3f : 1e-6f; // of numbers below 2
      assertArrayEquals(node.output("output").values(), out.toFloatArray(), room, node.name());
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
