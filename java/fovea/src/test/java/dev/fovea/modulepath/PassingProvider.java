package dev.fovea.modulepath;

import dev.fovea.ffi.report.LoadReport;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.spi.DeviceProvider;
import java.util.List;
import java.util.Optional;

/** A module whose first two tries fail for a reason that passes. */
public final class PassingProvider implements DeviceProvider {
  private static int made;

  private final int number = ++made;

  /** Made by {@link java.util.ServiceLoader}. */
  public PassingProvider() {}

  @Override
  public List<DeviceBackend> devices() {
    return List.of();
  }

  @Override
  public List<LoadReport> reports() {
    return List.of(new LoadReport("provider " + number, List.of(), Optional.empty(), number < 3));
  }
}
