package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The node tests of ONNX that a cache passes: TensorScatter, whose circular mode is a table in
 * which pages of one row come round again, and RotaryEmbedding, into an empty cache.
 */
class OnnxConformanceTest {

  private static Tensor tensor(Scope scope, Array array) {
    return scope.allocate(array.type(), array.shape()).copyFrom(array.values());
  }

  private static Tensor integers(Scope scope, Array array) {
    int[] values = new int[array.values().length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (int) array.values()[i];
    }
    return scope.copyOf(values, array.shape());
  }

  /** [B, H, S, D] as rows. */
  private static Tensor rows(Tensor x) {
    return x.permute(0, 2, 1, 3);
  }

  private static void scatter(OnnxNode node, TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor cache = tensor(scope, node.input("past_cache"));
      Tensor starts = integers(scope, node.input("write_indices"));
      Tensor update = rows(tensor(scope, node.input("update")));
      if (node.text("mode", "linear").equals("linear")) {
        CacheAppend.create().call(update, starts, rows(cache)).run();
      } else {
        int batch = (int) cache.size(0);
        int length = (int) cache.size(2);
        int[] table = new int[batch * 2 * length];
        for (int i = 0; i < table.length; i++) {
          table[i] = i / (2 * length) * length + i % length;
        }
        CacheAppend.create()
            .call(update, starts, cache.reshape((long) batch * length, 1, 1, cache.size(3)))
            .pages(scope.copyOf(table, batch, 2L * length), 2L * length)
            .run();
      }
      assertArrayEquals(
          node.output("present_cache").values(), cache.toFloatArray(), 0, node.name());
    }
  }

  @OnEveryDevice
  void tensorScatter(TestDevice on) throws IOException {
    on.device();
    for (Path folder : OnnxNode.folders("tensorscatter")) {
      scatter(OnnxNode.read(folder), on);
    }
  }

  /** As rows [B, S, H, D] of the memory that ONNX has. */
  private static Tensor rows(OnnxNode node, Tensor x) {
    if (x.rank() == 4) {
      return rows(x);
    }
    long heads = node.integer("num_heads", 0);
    return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads);
  }

  private static void rotate(OnnxNode node, TestDevice on) {
    Array input = node.input("input");
    try (Scope scope = Scope.open(on.device())) {
      Tensor out = scope.allocate(input.type(), input.shape());
      Tensor key = rows(node, tensor(scope, input));
      Tensor starts = scope.allocate(DType.INT32, key.size(0)).copyFrom(new int[(int) key.size(0)]);
      CacheAppend append = CacheAppend.create();
      CacheAppendCall call =
          (node.integer("interleaved", 0) == 1 ? append.interleaved() : append)
              .call(key, starts, rows(node, out))
              .rotary(
                  tensor(scope, node.input("cos_cache")), tensor(scope, node.input("sin_cache")));
      if (node.input("position_ids") != null) {
        call.positions(integers(scope, node.input("position_ids")));
      }
      call.run();
      float room = input.type() == DType.FLOAT16 ? 2e-3f : 1e-6f; // of numbers below 2
      assertArrayEquals(node.output("output").values(), out.toFloatArray(), room, node.name());
    }
  }

  @OnEveryDevice
  void rotaryEmbedding(TestDevice on) throws IOException {
    on.device();
    for (Path folder : OnnxNode.folders("rotary_embedding")) {
      rotate(OnnxNode.read(folder), on);
    }
  }
}
