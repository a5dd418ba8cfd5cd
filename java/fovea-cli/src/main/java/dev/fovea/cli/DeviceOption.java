package dev.fovea.cli;

import dev.fovea.Device;
import java.io.IOException;
import picocli.CommandLine.Option;

/** Which device a command runs on. */
final class DeviceOption {

  @Option(
      names = "--backend",
      defaultValue = "cpu",
      paramLabel = "DEVICE",
      description =
          "Device, such as cpu, cpu:avx2 or sim, a GPU simulated on the CPU; default"
              + " ${DEFAULT-VALUE}.")
  private String backend;

  @Option(
      names = "--arch",
      paramLabel = "ARCH",
      description = "Architecture that sim simulates, such as sm_90; default sm_80.")
  private String arch;

  /**
   * The device, with its library loaded.
   *
   * @throws IllegalArgumentException if there is none of that name; says what became of its library
   */
  Device device() throws IOException {
    return Devices.named(name());
  }

  private String name() {
    if (arch == null) {
      return backend;
    }
    if (!backend.equals("sim")) {
      throw new IllegalArgumentException(
          "--arch is %s, but --backend is %s: only sim has architectures to choose from"
              .formatted(arch, backend));
    }
    return backend + ":" + arch;
  }
}
