package dev.fovea.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * A device by name, that may not be here. The names are {@code -Dfovea.test.devices=cpu:avx2,sim};
 * unset, every tier that a CPU of this kind may have and two simulated GPUs.
 *
 * <p>The simulator takes milliseconds for what a core does in microseconds: it runs fewer random
 * cases, and on all but the first GPU, whose kernels are the same and whose tensor cores add
 * otherwise, every seventh case of a grid and no {@link OnEveryDevice} test. {@code -Pslow-sim} has
 * it run all of them, on every GPU it knows.
 *
 * @param name as {@link Device#byName} takes it
 */
public record TestDevice(String name) {

  /** What every device computes in. */
  public static final List<DType> TYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

  private static final String DEVICES =
      Stream.concat(
              Stream.of(Device.Isa.values())
                  .filter(TestDevice::isOfThisProcessor)
                  .map(Device.Isa::device),
              Stream.of("sim:sm_80", "sim:sm_90"))
          .collect(Collectors.joining(","));

  private static boolean isOfThisProcessor(Device.Isa tier) {
    return (tier == Device.Isa.NEON) == System.getProperty("os.arch").equals("aarch64");
  }

  private static final boolean SLOW = Boolean.getBoolean("fovea.test.slow");

  /** The devices that the suite runs on. */
  public static Stream<TestDevice> all() {
    return Arrays.stream(System.getProperty("fovea.test.devices", DEVICES).split(","))
        .map(TestDevice::new);
  }

  /** The same with one simulated GPU. */
  public static Stream<TestDevice> different() {
    List<TestDevice> all = all().toList();
    TestDevice gpu = all.stream().filter(TestDevice::isSimulated).findFirst().orElse(null);
    return all.stream().filter(on -> SLOW || !on.isSimulated() || on.equals(gpu));
  }

  /** The device; skips the test with the reason if it is not here. A broken library fails it. */
  public Device device() {
    try {
      return Device.byName(name);
    } catch (UnsupportedOperationException absent) {
      Assumptions.abort(name + " is skipped: " + absent.getMessage());
    } catch (IllegalArgumentException unknown) {
      if (isCpu() || isSimulated()) {
        throw new IllegalStateException(Device.loadReports().toString(), unknown);
      }
      Assumptions.abort(name + " is skipped: " + unknown.getMessage());
    }
    throw new AssertionError();
  }

  public boolean isCpu() {
    return name.startsWith("cpu");
  }

  public boolean isSimulated() {
    return name.startsWith("sim");
  }

  /** Skips a test of what only the CPU does. */
  public void assumeCpu(String what) {
    assumeTrue(isCpu(), name + " is skipped: " + what);
  }

  /** What cases may ask of it. */
  public Limits limits() {
    return Limits.of(name);
  }

  /** The larger number, or the smaller where a tile takes milliseconds. */
  public int size(int usual, int simulated) {
    return isSimulated() ? simulated : usual;
  }

  /** Random cases to run. */
  public int cases() {
    return SLOW ? 600 : isOfPairs() ? 100 : !isSimulated() ? 300 : isFirst() ? 40 : 12;
  }

  /** Of a grid's cases, one in so many: prime to the periods in which its loops vary features. */
  public int oneIn() {
    return SLOW || isFirst() || !isSimulated() && !isOfPairs() ? 1 : 7;
  }

  /** A tier of the CPU that differs from avx512 in bfloat16 alone, which it rounds more. */
  boolean isOfPairs() {
    return name.endsWith("_bf16") || name.endsWith("amx");
  }

  private boolean isFirst() {
    return name.equals("sim:sm_80");
  }

  @Override
  public String toString() {
    return name;
  }
}
