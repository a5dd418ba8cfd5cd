package dev.fovea.probe;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Holds what the CUDA kernels stand on against the CPU: JCuda's context, memory and stream shared
 * with the native library, plain kernels, mma.sync, wgmma fed by the copy engine, and each of them
 * replayed from a graph.
 *
 * <p>Prints one JSON object per check, over {@code count} random inputs from seed {@code first} on.
 * Exits with 0 if no check failed, 1 if one did, 2 if nothing could be checked.
 */
public final class Probe {
  /** Products of bfloat16 are exact in float32; what remains is the rounding of at most 64 sums. */
  private static final double PRODUCT_LIMIT = 1e-5;

  private final Device device;
  private final long first;
  private final int count;
  private boolean failed;

  private Probe(Device device, long first, int count) {
    this.device = device;
    this.first = first;
    this.count = count;
  }

  public static void main(String[] arguments) {
    if (arguments.length != 2) {
      System.err.println("usage: Probe FIRST_SEED COUNT");
      System.exit(2);
    }
    System.exit(run(Long.parseLong(arguments[0]), Integer.parseInt(arguments[1])));
  }

  private static int run(long first, int count) {
    try {
      SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
    } catch (IllegalArgumentException e) {
      System.err.println(
          "There is no NVIDIA driver on this machine: libcuda.so.1 cannot be loaded.");
      return 2;
    }
    try (var device = Device.open(0)) {
      var probe = new Probe(device, first, count);
      probe.run();
      return probe.failed ? 1 : 0;
    } catch (RuntimeException | LinkageError e) {
      e.printStackTrace();
      return 2;
    }
  }

  private interface Check {
    /** Returns the relative error for one seed's inputs. */
    double error(Random random, Consumer<Runnable> launcher);
  }

  private void run() {
    device();
    // On the stream first: that loads the kernels, which a capture must not have to do.
    checkAll("stream", Runnable::run);
    checkAll("graph", device::replay);
  }

  private void checkAll(String how, Consumer<Runnable> launcher) {
    check("copy/" + how, 0, launcher, this::copy);
    check("mma/" + how, PRODUCT_LIMIT, launcher, this::mma);
    check("wgmma-scores/" + how, PRODUCT_LIMIT, launcher, this::scores);
    check("wgmma-values/" + how, PRODUCT_LIMIT, launcher, this::values);
  }

  private void device() {
    var facts = ProbeLibrary.device();
    var seen =
        new ProbeLibrary.DeviceFacts(
            device.multiprocessors(), device.computeCapability(), device.sharedMemoryOptin());
    failed |= !facts.equals(seen);
    Json.object()
        .put("case", "device")
        .put("status", facts.equals(seen) ? "passed" : "failed")
        .put("name", device.name())
        .put("cuda_driver", device.driverVersion())
        .put("compute_capability", facts.computeCapability())
        .put("multiprocessors", facts.multiprocessors())
        .put("shared_memory_optin", facts.sharedMemoryOptin())
        .put("java", Runtime.version().toString())
        .print();
  }

  private void check(String name, double limit, Consumer<Runnable> launcher, Check check) {
    var result = Json.object().put("case", name).put("first_seed", first).put("seeds", count);
    double worst = 0;
    long seed = first;
    try {
      for (; seed < first + count; seed++) {
        double error = check.error(new Random(seed), launcher);
        if (!(error <= limit))
          throw new IllegalStateException("relative error " + error); // NaN too
        worst = Math.max(worst, error);
      }
      result.put("status", "passed").put("worst_error", worst).put("limit", limit);
    } catch (UnsupportedOperationException e) {
      result.put("status", "unsupported").put("reason", e.getMessage());
    } catch (RuntimeException e) {
      failed = true;
      result.put("status", "failed").put("seed", seed).put("reason", e.toString());
    }
    result.print();
  }

  private double copy(Random random, Consumer<Runnable> launcher) {
    try (var arena = Arena.ofConfined()) {
      long offset =
          random.nextInt(2) == 0 ? 0 : random.nextInt(16); // vectors where aligned, else bytes
      var expected = arena.allocate(offset + random.nextInt(1 << 20));
      for (long i = 0; i < expected.byteSize(); i++)
        expected.set(JAVA_BYTE, i, (byte) random.nextInt());
      expected = expected.asSlice(offset);
      long bytes = expected.byteSize();
      try (var source = device.new Memory(expected)) {
        var actual =
            twice(
                arena,
                bytes,
                launcher,
                output -> ProbeLibrary.copy(source.address(), output, bytes, device.stream()));
        return expected.mismatch(actual) == -1 ? 0 : Double.POSITIVE_INFINITY;
      }
    }
  }

  private double mma(Random random, Consumer<Runnable> launcher) {
    return product(
        random, launcher, 16, 8, 16, true, (a, b, c) -> ProbeLibrary.mma(a, b, c, device.stream()));
  }

  private double scores(Random random, Consumer<Runnable> launcher) {
    return product(
        random,
        launcher,
        64,
        128,
        64,
        true,
        (a, b, c) -> ProbeLibrary.wgmma(ProbeLibrary.SCORES, a, b, c, device.stream()));
  }

  private double values(Random random, Consumer<Runnable> launcher) {
    return product(
        random,
        launcher,
        64,
        128,
        64,
        false,
        (a, b, c) -> ProbeLibrary.wgmma(ProbeLibrary.VALUES, a, b, c, device.stream()));
  }

  private interface Product {
    void launch(MemorySegment a, MemorySegment b, MemorySegment c);
  }

  /** The error of c[m][n] = a[m][k] * b, where b is [n][k] if transposed and [k][n] if not. */
  private double product(
      Random random,
      Consumer<Runnable> launcher,
      int m,
      int n,
      int k,
      boolean transposed,
      Product product) {
    try (var arena = Arena.ofConfined()) {
      var a = Bfloat16.random(arena, random, m * k);
      var b = Bfloat16.random(arena, random, n * k);
      try (var deviceA = device.new Memory(a);
          var deviceB = device.new Memory(b)) {
        var c =
            twice(
                arena,
                4L * m * n,
                launcher,
                output -> product.launch(deviceA.address(), deviceB.address(), output));
        double difference = 0;
        double norm = 0;
        for (int row = 0; row < m; row++) {
          for (int column = 0; column < n; column++) {
            double expected = 0;
            for (int i = 0; i < k; i++)
              expected +=
                  Bfloat16.get(a, row * k + i)
                      * Bfloat16.get(b, transposed ? column * k + i : i * n + column);
            double actual = c.getAtIndex(JAVA_FLOAT, row * n + column);
            difference += (actual - expected) * (actual - expected);
            norm += expected * expected;
          }
        }
        return Math.sqrt(difference / norm);
      }
    }
  }

  /**
   * The output of a launch into poisoned memory; fails unless a second launch gives the same bits.
   */
  private MemorySegment twice(
      Arena arena, long bytes, Consumer<Runnable> launcher, Consumer<MemorySegment> launch) {
    var outputs =
        List.of(once(arena, bytes, launcher, launch), once(arena, bytes, launcher, launch));
    if (outputs.getFirst().mismatch(outputs.getLast()) != -1)
      throw new IllegalStateException("two launches on the same inputs gave different bits");
    return outputs.getFirst();
  }

  private MemorySegment once(
      Arena arena, long bytes, Consumer<Runnable> launcher, Consumer<MemorySegment> launch) {
    try (var output = device.new Memory(bytes)) {
      launcher.accept(() -> launch.accept(output.address()));
      return output.download(arena);
    }
  }

  private static final class Bfloat16 {
    static MemorySegment random(Arena arena, Random random, int length) {
      var values = arena.allocate(JAVA_SHORT, length);
      for (int i = 0; i < length; i++)
        values.setAtIndex(JAVA_SHORT, i, round((float) random.nextGaussian()));
      return values;
    }

    static double get(MemorySegment values, long index) {
      return Float.intBitsToFloat(values.getAtIndex(JAVA_SHORT, index) << 16);
    }

    /** To nearest, ties to even. */
    private static short round(float value) {
      int bits = Float.floatToRawIntBits(value);
      return (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16);
    }
  }
}
