package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Two hundred clients ask at once, and often think better of it: every answer is that of its
 * request alone. {@code -Dfovea.soak.seconds=120} goes on for two minutes.
 */
class GeneratorSoakTest {
  private static final int CLIENTS = 200;
  private static final int REQUESTS = 40; // that differ
  private static final int PAGES = 150; // for some eight sequences
  private static final long SECONDS = Long.getLong("fovea.soak.seconds", 2);

  private final ConcurrentLinkedQueue<Generation> done = new ConcurrentLinkedQueue<>();

  @Test
  void everyAnswerIsThatOfItsRequestAlone() throws Exception {
    Random random = new Random(4);
    try (TinyModel tiny = new TinyModel();
        KvCache cache = TinyModel.cache(PAGES);
        ExecutorService clients = Executors.newFixedThreadPool(CLIENTS)) {
      List<GenerationRequest> requests =
          IntStream.range(0, REQUESTS).mapToObj(i -> TinyModel.request(random)).toList();
      List<int[]> answers = requests.stream().map(tiny::answer).toList();
      try (Generator generator =
          Generator.of(cache, tiny.model::forward)
              .slots(24)
              .chunk(64)
              .queue(150)
              .kept(20)
              .batchInvariant()
              .start()) {
        long stop = System.nanoTime() + SECONDS * 1_000_000_000;
        List<Future<Long>> all = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
          all.add(clients.submit(client(generator, requests, answers, i, stop)));
        }
        Thread.sleep(SECONDS * 500);
        Memory half = Memory.now();
        long answered = 0;
        for (Future<Long> it : all) {
          answered += it.get();
        }
        Memory end = Memory.now();
        GeneratorMetrics metrics = generator.metrics();
        assertEquals(answered, metrics.ended());
        assertEquals(0, metrics.failed());
        assertTrue(answered > 0);
        if (SECONDS >= 60) {
          assertTrue(end.held - half.held < 1 << 20, half + ", then " + end);
          assertTrue(end.heap - half.heap < 32 << 20, half + ", then " + end);
          print(metrics, half, end);
        }
      }
      assertEquals(PAGES, cache.freePages());
    }
  }

  private Callable<Long> client(
      Generator generator,
      List<GenerationRequest> requests,
      List<int[]> answers,
      long seed,
      long end) {
    return () -> {
      Random random = new Random(seed);
      long answered = 0;
      while (System.nanoTime() < end) {
        int which = random.nextInt(REQUESTS);
        Generation it;
        try {
          it = generator.submit(requests.get(which));
        } catch (RejectedExecutionException full) {
          Thread.sleep(random.nextInt(20));
          continue;
        }
        int patience = random.nextInt(60); // tokens; most have more of it than there are
        int[] answer = answers.get(which);
        for (int i = 0; i < Math.min(patience, answer.length); i++) {
          String token = "token " + i + " of request " + which + ", seed " + seed;
          assertEquals(answer[i], it.next().orElseThrow(), token);
        }
        if (patience < answer.length) {
          it.cancel();
        }
        try {
          assertArrayEquals(answer, it.await());
          answered++;
          if (answered % 16 == 0) {
            done.add(it);
          }
        } catch (CancellationException cancelled) {
          assertTrue(patience < answer.length);
        }
      }
      return answered;
    };
  }

  private void print(GeneratorMetrics metrics, Memory half, Memory end) {
    System.out.printf("%s%nafter half the time %s, in the end %s%n", metrics, half, end);
    print("waited", done.stream().map(Generation::waited).toList());
    print("to the first token", done.stream().map(Generation::timeToFirstToken).toList());
    print("to the last token", done.stream().map(Generation::time).toList());
  }

  private static void print(String what, List<Duration> times) {
    double[] ms = times.stream().mapToDouble(it -> it.toNanos() * 1e-6).sorted().toArray();
    double[] shown =
        Arrays.stream(new double[] {0.5, 0.9, 0.99, 1})
            .map(q -> ms[(int) Math.min(ms.length - 1, q * ms.length)])
            .toArray();
    System.out.printf(
        "%-20s ms: p50 %.1f, p90 %.1f, p99 %.1f, most %.1f%n",
        what, shown[0], shown[1], shown[2], shown[3]);
  }

  /**
   * Bytes in use. What the process has of them says less: a heap grows as far as it may.
   *
   * @param held by scopes
   * @param heap of Java, without garbage
   */
  private record Memory(long held, long heap) {
    static Memory now() {
      System.gc();
      Runtime java = Runtime.getRuntime();
      return new Memory(Device.cpu().memoryHeld(), java.totalMemory() - java.freeMemory());
    }
  }
}
