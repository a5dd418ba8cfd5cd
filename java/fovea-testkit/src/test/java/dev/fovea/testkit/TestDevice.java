package dev.fovea.testkit;

import dev.fovea.Device;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * A device by name, that may not be here. The names are {@code -Dfovea.test.devices=cpu:avx2,sim};
 * unset, every tier of the CPU.
 *
 * @param name as {@link Device#byName} takes it
 */
record TestDevice(String name) {

  private static final String TIERS = "cpu:portable,cpu:avx2,cpu:avx512";

  /** The devices that the suite runs on. */
  static Stream<TestDevice> all() {
    return Arrays.stream(System.getProperty("fovea.test.devices", TIERS).split(","))
        .map(TestDevice::new);
  }

  /** The device; skips the test with the reason if it is not here. A broken library fails it. */
  Device device() {
    try {
      return Device.byName(name);
    } catch (UnsupportedOperationException absent) {
      Assumptions.abort(name + " is skipped: " + absent.getMessage());
    } catch (IllegalArgumentException unknown) {
      if (name.startsWith("cpu")) {
        throw unknown;
      }
      Assumptions.abort(name + " is skipped: " + unknown.getMessage());
    }
    throw new AssertionError();
  }

  @Override
  public String toString() {
    return name;
  }
}
