package dev.fovea.bench;

import dev.fovea.Device;
import dev.fovea.Device.Isa;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;

/**
 * The machine that figures were taken on.
 *
 * @param cpu model
 * @param features its instruction set extensions that matter here
 * @param cores logical processors that this process may use
 * @param clock in MHz as the kernel says it, and who governs it; in virtual machines often neither
 * @param memoryGiB of the whole machine
 * @param kernel operating system and its version
 * @param virtual whether a hypervisor is below
 * @param jdk version and maker
 */
record Machine(
    String cpu,
    List<String> features,
    int cores,
    String clock,
    long memoryGiB,
    String kernel,
    boolean virtual,
    String jdk) {

  private static final List<String> TELLING =
      List.of("avx", "avx2", "fma", "f16c", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16");

  static Machine here() {
    String info = read("/proc/cpuinfo");
    TreeSet<String> flags = new TreeSet<>(List.of(field(info, "flags").split(" ")));
    Runtime.Version jdk = Runtime.version();
    return new Machine(
        field(info, "model name"),
        TELLING.stream().filter(flags::contains).toList(),
        Runtime.getRuntime().availableProcessors(),
        readClock(info),
        readMemory(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        flags.contains("hypervisor"),
        jdk + " (" + System.getProperty("java.vendor") + ")");
  }

  /** The tier whose kernels {@link Device#cpu()} runs. */
  static Isa tier() {
    int code = FoveaDeviceInfo.ISA.get(Devices.backend(Device.cpu()).info());
    return Isa.values()[code - Abi.ISA_PORTABLE];
  }

  /** The tier's name as {@code --isa} takes it. */
  static String tierName() {
    return tier().text();
  }

  /**
   * How many operations a unit for 16-bit matrix products may do in the time of one of the float32
   * vector unit.
   */
  static double sixteenBitFactor() {
    if (tier().compareTo(Isa.AVX512) < 0) {
      return 1;
    }
    List<String> features = here().features();
    boolean doubled = features.contains("avx512_bf16") || features.contains("avx512_fp16");
    return features.contains("amx_bf16") ? 16 : doubled ? 2 : 1;
  }

  /**
   * Processes that want to run, over the last minute: above 0.3 before a start, others are here.
   */
  static double load() {
    String text = read("/proc/loadavg");
    return text.isEmpty() ? -1 : Double.parseDouble(text.split(" ")[0]);
  }

  /** Memory that processes can still have without swapping. */
  static long availableBytes() {
    return kibibytes("MemAvailable") << 10;
  }

  private static String readClock(String info) {
    String governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip();
    String mhz = field(info, "cpu MHz");
    return (mhz.isEmpty() ? "MHz not readable" : mhz + " MHz")
        + ", governor "
        + (governor.isEmpty() ? "not readable" : governor);
  }

  private static long readMemory() {
    return Math.round(kibibytes("MemTotal") / (double) (1 << 20));
  }

  private static long kibibytes(String name) {
    String kib = field(read("/proc/meminfo"), name).replace(" kB", "");
    return kib.isEmpty() ? 0 : Long.parseLong(kib);
  }

  private static String field(String text, String name) {
    return text.lines()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst()
        .orElse("");
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      return ""; // what the kernel does not show is left out
    }
  }
}
