package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * A sequence of 64k tokens, whose scores would take 16 GiB: the backward pass keeps none of them.
 */
@Isolated("it counts the heap")
class BackwardMemoryTest {

  private static final int LENGTH = 1 << 16;
  private static final int DIM = 16;

  /** Of query; all operands and gradients together are ten times as much. */
  private static final long ROWS = 4L * LENGTH * DIM;

  private static Tensor normal(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(seed);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  private static Tensor rows(Scope scope, long seed) {
    return normal(scope, seed, 1, LENGTH, 1, DIM);
  }

  /** Bytes of memory that the process has touched so far, at the most. */
  private static long peak() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
      }
    }
    throw new IOException("no VmHWM in /proc/self/status");
  }

  @Test
  void memoryIsLinearInTheLength() throws IOException {
    try (Scope scope = Scope.open()) {
      // Each query sees 256 keys, which makes it quick; memory is that of all.
      Attention attention = Attention.builder().window(255, 0).build();
      Tensor out = rows(scope, 4);
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, LENGTH);
      AttentionCall call =
          attention.call(rows(scope, 1), rows(scope, 2), rows(scope, 3)).out(out).lse(lse);
      call.run();
      AttentionBackward backward =
          call.gradients(rows(scope, 5)).dquery(rows(scope, 6)).dkey(rows(scope, 7));
      backward.dvalue(rows(scope, 8));

      Runtime runtime = Runtime.getRuntime();
      System.gc();
      long heap = runtime.totalMemory() - runtime.freeMemory();
      long touched = peak();
      backward.run();
      long heapGrowth = runtime.totalMemory() - runtime.freeMemory() - heap;
      long growth = peak() - touched;

      assertTrue(heapGrowth < 8 << 20, heapGrowth + " bytes of heap");
      // dquery once for each of four chunks of keys, and a little for each row and worker.
      assertTrue(growth < 5 * ROWS + (64 << 20), growth + " bytes, " + backward.plan());
      assertTrue(backward.plan().workspaceBytes() < 5 * ROWS, backward.plan().toString());
    }
  }

  @Test
  void allOfItsKeysTakeNoMore() {
    long[] bytes = new long[2];
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < 2; i++) {
        int length = LENGTH >> (2 * i);
        Tensor any = scope.allocate(DType.FLOAT32, 1, length, 1, DIM);
        Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, length);
        Tensor out = scope.allocate(DType.FLOAT32, 1, length, 1, DIM);
        AttentionCall call = Attention.create().call(any, any, any).out(out).lse(lse);
        AttentionBackward backward =
            call.gradients(any)
                .dquery(scope.allocate(DType.FLOAT32, 1, length, 1, DIM))
                .dkey(scope.allocate(DType.FLOAT32, 1, length, 1, DIM))
                .dvalue(scope.allocate(DType.FLOAT32, 1, length, 1, DIM));
        bytes[i] = backward.plan().workspaceBytes();
      }
    }
    assertTrue(bytes[0] < 4.1 * bytes[1], bytes[0] + " for 64k, " + bytes[1] + " for 16k");
  }
}
