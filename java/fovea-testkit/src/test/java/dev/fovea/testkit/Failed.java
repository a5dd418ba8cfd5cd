package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.fail;

import dev.fovea.Device;
import java.util.ArrayList;
import java.util.List;

/** Collects what is wrong over many cases, so that one run shows the pattern. */
public final class Failed {

  private static final int SHOWN = 12;

  private final List<Device> devices;
  private final int oneIn;
  private final List<String> lines = new ArrayList<>();
  private int given;
  private int count;

  /** For cases of which one in so many runs. */
  public Failed(Device device, int oneIn) {
    this(List.of(device), oneIn);
  }

  /** For cases of which one in so many runs on every device; all of them round alike. */
  public Failed(List<Device> devices, int oneIn) {
    this.devices = devices;
    this.oneIn = oneIn;
  }

  /** Runs a case and keeps what is wrong with it. */
  public void check(CheckedCase c) {
    if (given++ % oneIn != 0) {
      return;
    }
    CheckedCase.Prepared prepared = c.prepare(devices.getFirst());
    for (Device device : devices) {
      count++;
      try {
        note(device, c, prepared.check(device).wrong());
      } catch (RuntimeException failure) {
        note(device, c, failure.toString());
      }
    }
  }

  /** Keeps a line if there is one. */
  public void note(CheckedCase c, String wrong) {
    note(devices.getFirst(), c, wrong);
  }

  private void note(Device device, CheckedCase c, String wrong) {
    if (wrong != null) {
      String repeat =
          c.repeat().startsWith("--")
              ? "./fovea check --backend " + device.name() + " " + c.repeat()
              : c.repeat();
      lines.add(device.name() + ": " + wrong + "\n    " + c + "\n    " + repeat);
    }
  }

  /** Fails if anything was wrong. */
  public void orPass() {
    if (!lines.isEmpty()) {
      fail(
          "%d of %d cases wrong on %s, the first:%n%s"
              .formatted(
                  lines.size(),
                  Math.max(count, lines.size()),
                  devices,
                  String.join("\n", lines.subList(0, Math.min(SHOWN, lines.size())))));
    }
  }
}
