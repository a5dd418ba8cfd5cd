package dev.fovea.testkit.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Random sequences of the API's methods: {@code -Dfovea.fuzz.calls=N}, from {@code
 * -Dfovea.fuzz.seed=N} on.
 */
@Isolated("it counts the memory that the process holds")
class ApiFuzzTest {

  private static final long CALLS = Long.getLong("fovea.fuzz.calls", 60_000);
  private static final long SEED = Long.getLong("fovea.fuzz.seed", 1);
  private static final int STEPS = 600; // of a round

  private final Device device = Device.cpu();

  @Test
  void oneThread() {
    long held = device.memoryHeld();
    Counts counts = new Counts();
    for (long seed = SEED; counts.calls < CALLS; seed++) {
      try {
        round(seed, counts);
      } catch (RuntimeException | AssertionError e) {
        throw failure(seed, e);
      }
    }
    System.out.println("one thread: " + counts);
    assertEquals(held, device.memoryHeld());
    assertTrue(counts.runs > counts.calls / 30, counts.toString());
    assertTrue(counts.backwardRuns > counts.calls / 100, counts.toString());
  }

  private void round(long seed, Counts counts) {
    Random random = new Random(seed);
    try (World world = new World(device, true, random)) {
      for (int i = 0; i < STEPS; i++) {
        world.step(random, counts);
      }
    }
  }

  @Test
  void severalThreads() throws Exception {
    long held = device.memoryHeld();
    Counts all = new Counts();
    try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
      for (long seed = SEED; all.calls < CALLS; seed++) {
        Random random = new Random(seed);
        try (World world = new World(device, false, random)) {
          List<Future<Counts>> running = new ArrayList<>();
          for (int thread = 0; thread < 3; thread++) {
            Random own = new Random(random.nextLong());
            running.add(threads.submit(() -> steps(world, own)));
          }
          for (Future<Counts> one : running) {
            all.add(one.get());
          }
          world.check();
        } catch (RuntimeException | AssertionError e) {
          throw failure(seed, e);
        }
      }
    }
    System.out.println("several threads: " + all);
    assertEquals(held, device.memoryHeld());
  }

  private static Counts steps(World world, Random random) {
    Counts counts = new Counts();
    for (int i = 0; i < STEPS; i++) {
      world.step(random, counts);
    }
    return counts;
  }

  private static AssertionError failure(long seed, Throwable cause) {
    return new AssertionError("-Dfovea.fuzz.calls=1 -Dfovea.fuzz.seed=" + seed, cause);
  }
}
