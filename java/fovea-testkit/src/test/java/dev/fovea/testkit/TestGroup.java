package dev.fovea.testkit;

import dev.fovea.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.opentest4j.TestAbortedException;

/**
 * Devices of which the same is expected: the tiers of the CPU that round no weights, or one other.
 * A case is drawn, and what comes of it computed, once for all of them, which takes most of the
 * time of a case on the CPU.
 *
 * @param devices one or more
 */
public record TestGroup(List<TestDevice> devices) {

  /** What the suite runs on. */
  public static Stream<TestGroup> all() {
    List<TestDevice> all = TestDevice.all().toList();
    List<TestDevice> tiers = all.stream().filter(TestGroup::isExact).toList();
    Stream<TestGroup> others = all.stream().filter(on -> !isExact(on)).map(TestGroup::of);
    return tiers.isEmpty() ? others : Stream.concat(Stream.of(new TestGroup(tiers)), others);
  }

  private static boolean isExact(TestDevice on) {
    return on.isCpu() && !on.isOfPairs();
  }

  private static TestGroup of(TestDevice alone) {
    return new TestGroup(List.of(alone));
  }

  /** Those that are here; skips the test with the reason if none is. */
  public List<Device> present() {
    List<Device> present = new ArrayList<>();
    TestAbortedException absent = null;
    for (TestDevice on : devices) {
      try {
        present.add(on.device());
      } catch (TestAbortedException skipped) {
        absent = skipped;
      }
    }
    if (present.isEmpty()) {
      throw absent;
    }
    return present;
  }

  /** What cases may ask of them. */
  public Limits limits() {
    return first().limits();
  }

  /** The larger number, or the smaller where a tile takes milliseconds. */
  public int size(int usual, int simulated) {
    return first().size(usual, simulated);
  }

  /** Random cases to run. */
  public int cases() {
    return first().cases();
  }

  /** Of a grid's cases, one in so many. */
  public int oneIn() {
    return first().oneIn();
  }

  /** Of random cases: another for every group, which together cover more. */
  public long seed() {
    return 1000 + toString().hashCode() % 1000;
  }

  private TestDevice first() {
    return devices.getFirst();
  }

  @Override
  public String toString() {
    return devices.size() > 1 ? "cpu" : first().name();
  }
}
