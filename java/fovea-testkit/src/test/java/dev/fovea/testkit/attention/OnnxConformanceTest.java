package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.CacheAppend;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * The node tests of ONNX Attention that have a past, by a cache of pages: what is past is appended
 * to it, then what is new, and present is what it holds.
 */
class OnnxConformanceTest {

  private static final int PAGE = 8; // rows, of which no past and no present is a multiple
  private static final float ROOM = 2e-6f; // of numbers below 1, by two ways in float32
  private static final int[] GARBAGE = {-7, Integer.MAX_VALUE, 1 << 30};

  private static Tensor tensor(Scope scope, Array array) {
    return scope.allocate(array.type(), array.shape()).copyFrom(array.values());
  }

  /** As rows [B, S, H, D] of the memory that ONNX has: [B, H, S, D], or heads in one row. */
  private static Tensor rows(Tensor x, long heads) {
    return x.rank() == 4
        ? x.permute(0, 2, 1, 3)
        : x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads);
  }

  /** Pages of each sequence in no order, none of them written yet. */
  private static final class Pages {
    final Tensor key;
    final Tensor value;
    final Tensor table;
    final long length;

    Pages(Scope scope, Tensor key, Tensor value, long length) {
      this.length = length;
      int batch = (int) key.size(0);
      int used = (int) Math.ceilDiv(length, (long) PAGE);
      int columns = used + 2;
      int[] all = new int[batch * columns];
      for (int i = 0; i < all.length; i++) {
        all[i] = GARBAGE[i % GARBAGE.length];
        if (i % columns < used) {
          all[i] = batch * used - (i / columns + i % columns * batch); // the last is the first
        }
      }
      table = scope.copyOf(all, batch, columns);
      this.key = pages(scope, key, batch * used + 1);
      this.value = pages(scope, value, batch * used + 1);
    }

    private static Tensor pages(Scope scope, Tensor of, int count) {
      return scope.allocate(of.dtype(), count, PAGE, of.size(2), of.size(3)).fill(Float.NaN);
    }

    void append(Scope scope, Tensor newKey, Tensor newValue, long at) {
      int[] starts = new int[(int) newKey.size(0)];
      Arrays.fill(starts, (int) at);
      CacheAppend.create()
          .call(newKey, scope.copyOf(starts, starts.length), key)
          .value(newValue, value)
          .pages(table, length)
          .run();
    }

    /** Rows of the pages of all sequences as ONNX has them, [B, H, S, D]. */
    float[] present(Scope scope, Tensor pages) {
      long[] shape = {table.size(0), pages.size(2), length, pages.size(3)};
      Tensor present = scope.allocate(pages.dtype(), shape);
      for (int b = 0; b < shape[0]; b++) {
        for (int j = 0; j < length; j++) {
          int page = table.select(0, b).toIntArray()[j / PAGE];
          present.select(0, b).select(1, j).copyFrom(pages.select(0, page).select(0, j % PAGE));
        }
      }
      return present.toFloatArray();
    }
  }

  /** Query i is at position i + past, wherever the last key is. */
  private static Tensor causal(Scope scope, int queries, int keys, int past) {
    boolean[] seen = new boolean[queries * keys];
    for (int i = 0; i < seen.length; i++) {
      seen[i] = i % keys <= i / keys + past;
    }
    return scope.copyOf(seen, queries, keys);
  }

  private static void run(OnnxNode node, TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      long heads = node.integer("q_num_heads", 0);
      long keyHeads = node.integer("kv_num_heads", 0);
      Tensor query = rows(tensor(scope, node.input("Q")), heads);
      Tensor key = rows(tensor(scope, node.input("K")), keyHeads);
      Tensor value = rows(tensor(scope, node.input("V")), keyHeads);
      Tensor pastKey = rows(tensor(scope, node.input("past_key")), keyHeads);
      Tensor pastValue = rows(tensor(scope, node.input("past_value")), keyHeads);
      long past = pastKey.size(1);
      long length = past + key.size(1);
      Pages pages = new Pages(scope, key, value, length);
      pages.append(scope, pastKey, pastValue, 0);
      pages.append(scope, key, value, past);
      float given = node.number("scale", 0);
      Attention attention =
          Attention.builder()
              .scale(given == 0 ? 1 / Math.sqrt(query.size(3)) : given)
              .softcap(node.number("softcap", 0))
              .build();
      Array expected = node.output("Y");
      Tensor out = scope.allocate(expected.type(), expected.shape());
      int[] lengths = new int[(int) query.size(0)];
      Arrays.fill(lengths, (int) length);
      AttentionCall call =
          attention
              .call(query, pages.key, pages.value)
              .pages(pages.table, length)
              .keyLengths(scope.copyOf(lengths, lengths.length))
              .out(rows(out, heads));
      if (node.input("attn_mask") != null) {
        call.bias(tensor(scope, node.input("attn_mask")));
      }
      if (node.integer("is_causal", 0) == 1) {
        call.mask(causal(scope, (int) query.size(1), (int) length, (int) past));
      }
      call.run();
      assertArrayEquals(expected.values(), out.toFloatArray(), ROOM, node.name());
      same(node, "present_key", pages.present(scope, pages.key));
      same(node, "present_value", pages.present(scope, pages.value));
    }
  }

  private static void same(OnnxNode node, String output, float[] actual) {
    assertArrayEquals(node.output(output).values(), actual, node.name() + " " + output);
  }

  @OnEveryDevice
  void pastAndPresent(TestDevice on) throws IOException {
    on.device();
    List<Path> folders =
        OnnxNode.folders("attention").stream()
            .filter(it -> it.getFileName().toString().contains("past_and_present"))
            .toList();
    assertTrue(folders.size() > 4, folders.toString());
    for (Path folder : folders) {
      run(OnnxNode.read(folder), on);
    }
  }
}
