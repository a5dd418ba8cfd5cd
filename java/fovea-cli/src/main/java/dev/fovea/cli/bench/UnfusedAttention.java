package dev.fovea.cli.bench;

import dev.fovea.ffi.OpenBlas;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Attention in three steps, the way it is written without a fused kernel: scores by OpenBLAS,
 * softmax over the whole matrix, weighted sum by OpenBLAS. Heads are spread over threads.
 */
final class UnfusedAttention implements AutoCloseable {

  private final AttentionSizes sizes;
  private final int threads;
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> scores = new ArrayList<>();
  private final List<Softmax> softmaxes = new ArrayList<>();
  private final ExecutorService workers;

  UnfusedAttention(AttentionSizes sizes, int threads) {
    this.sizes = sizes;
    this.threads = threads;
    for (int i = 0; i < threads; i++) {
      long bytes = (long) sizes.queryLength() * sizes.keyLength() * Float.BYTES;
      scores.add(arena.allocate(bytes, 64));
      softmaxes.add(new Softmax(sizes.keyLength()));
    }
    workers = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory());
  }

  /** Computes out; all four are float32 [B, S, H, D]. */
  void run(MemorySegment query, MemorySegment key, MemorySegment value, MemorySegment out)
      throws InterruptedException {
    AtomicInteger next = new AtomicInteger();
    List<Future<?>> running = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      MemorySegment matrix = scores.get(t);
      Softmax softmax = softmaxes.get(t);
      running.add(
          workers.submit(
              () -> {
                int heads = sizes.batch() * sizes.heads();
                for (int h = next.getAndIncrement(); h < heads; h = next.getAndIncrement()) {
                  head(
                      h / sizes.heads(),
                      h % sizes.heads(),
                      query,
                      key,
                      value,
                      out,
                      matrix,
                      softmax);
                }
              }));
    }
    for (Future<?> worker : running) {
      try {
        worker.get();
      } catch (ExecutionException e) {
        throw new IllegalStateException("a worker failed", e.getCause());
      }
    }
  }

  private void head(
      int batch,
      int head,
      MemorySegment query,
      MemorySegment key,
      MemorySegment value,
      MemorySegment out,
      MemorySegment matrix,
      Softmax softmax) {
    int m = sizes.queryLength();
    int n = sizes.keyLength();
    int d = sizes.headDim();
    int queryRow = sizes.heads() * d;
    int keyRow = sizes.keyHeads() * d;
    long queryAt = ((long) batch * m * queryRow + (long) head * d) * Float.BYTES;
    long keyAt = ((long) batch * n * keyRow + (long) (head / sizes.group()) * d) * Float.BYTES;
    float scale = (float) (1 / Math.sqrt(d));
    OpenBlas.sgemm(
        false,
        true,
        m,
        n,
        d,
        scale,
        query.asSlice(queryAt),
        queryRow,
        key.asSlice(keyAt),
        keyRow,
        0,
        matrix,
        n);
    for (int i = 0; i < m; i++) {
      softmax.apply(matrix, (long) i * n * Float.BYTES, sizes.visible(i), n);
    }
    OpenBlas.sgemm(
        false,
        false,
        m,
        d,
        n,
        1,
        matrix,
        n,
        value.asSlice(keyAt),
        keyRow,
        0,
        out.asSlice(queryAt),
        queryRow);
  }

  @Override
  public void close() {
    workers.shutdownNow();
    arena.close();
  }
}
