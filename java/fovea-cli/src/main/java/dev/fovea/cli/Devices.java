package dev.fovea.cli;

import dev.fovea.Device;
import dev.fovea.ffi.report.LoadReport;
import dev.fovea.testkit.CleanExit;
import java.io.IOException;
import java.util.List;

/**
 * Devices whose libraries are loaded: extracted and mapped in one go, which a signal waits for, so
 * that no file of theirs is left behind.
 */
final class Devices {

  private Devices() {}

  /**
   * The device of that name.
   *
   * @throws IllegalArgumentException if there is none; says what became of its library
   * @throws dev.fovea.FoveaException if its library cannot be loaded
   */
  static Device named(String name) throws IOException {
    return CleanExit.finish(() -> loaded(find(name)));
  }

  private static Device find(String name) {
    try {
      return Device.byName(name);
    } catch (IllegalArgumentException unknown) {
      throw new IllegalArgumentException("--backend: " + unknown.getMessage() + why(name));
    }
  }

  /** The CPU. */
  static Device cpu() throws IOException {
    return CleanExit.finish(() -> loaded(Device.cpu()));
  }

  /** For each library where it came from, or why it is not there. */
  static List<LoadReport> reports() throws IOException {
    return CleanExit.finish(Device::loadReports);
  }

  private static Device loaded(Device device) {
    device.description();
    return device;
  }

  private static String why(String name) {
    int end = name.indexOf(':');
    String library = "fovea_" + (end < 0 ? name : name.substring(0, end));
    for (LoadReport report : Device.loadReports()) {
      if (report.name().equals(library) && report.library().isEmpty()) {
        return "; " + library + ": " + report.attempts().getLast();
      }
    }
    return "";
  }
}
