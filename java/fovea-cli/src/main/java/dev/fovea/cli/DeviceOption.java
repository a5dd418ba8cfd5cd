package dev.fovea.cli;

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

  /** As {@link dev.fovea.Device#byName} takes it. */
  String name() {
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
