package dev.fovea.spi;

import dev.fovea.ffi.report.LoadReport;
import java.util.List;

/**
 * A module's devices, found as a service. One is made for each process, when somebody first asks
 * for devices other than the CPU, and another in its place, at the next question, where a report of
 * it {@linkplain LoadReport#mayPass says} that its failure may pass. It must not throw because
 * hardware, driver or library is missing: it then has no devices and a report that says why.
 */
public interface DeviceProvider {
  /** Devices that are here and work, in the order of their ordinals. */
  List<DeviceBackend> devices();

  /** How the libraries behind these devices were found, or why not. */
  List<LoadReport> reports();
}
