package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.HugePages;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.ffi.report.LoadReport;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The CPU, with one tier or with the best. Making one loads nothing: tensors need no library. */
final class CpuBackend implements DeviceBackend {
  private static final String FORCED = "fovea.cpu.isa";

  private static final class Tiers {
    static final List<Device> DEVICES =
        Stream.of(Device.Isa.values()).map(tier -> Device.of(new CpuBackend(tier))).toList();
  }

  private static volatile NativeLoader.Result library; // null: nobody has asked for the library yet

  private final Device.Isa tier; // null: the best, or what -Dfovea.cpu.isa says
  private volatile MemorySegment info;

  CpuBackend(Device.Isa tier) {
    this.tier = tier;
  }

  static Device tier(Device.Isa tier) {
    Device device = Tiers.DEVICES.get(tier.ordinal());
    device.backend().info(); // throws if the CPU lacks it
    return device;
  }

  static List<Device> tiers() {
    int available = FoveaDeviceInfo.ISA_AVAILABLE.get(query());
    return Stream.of(Device.Isa.values())
        .filter(tier -> (available & 1 << code(tier)) != 0)
        .map(CpuBackend::tier)
        .toList();
  }

  /** Looks for the library once, and again where what was in the way may have passed. */
  private static NativeLoader.Result load() {
    NativeLoader.Result found = library;
    if (found == null || found.report().mayPass()) {
      synchronized (CpuBackend.class) {
        if (library == found) {
          library = NativeLoader.load("fovea_cpu");
        }
        found = library;
      }
    }
    return found;
  }

  static LoadReport loadReport() {
    return load().report();
  }

  @Override
  public String name() {
    return tier == null ? "cpu" : tier.device();
  }

  @Override
  public String description() {
    MemorySegment block = info();
    Device.Isa planned = Device.Isa.values()[FoveaDeviceInfo.ISA.get(block) - Abi.ISA_PORTABLE];
    return "%s, %s, %d logical processors"
        .formatted(
            FoveaDeviceInfo.NAME.get(block),
            planned.text(),
            FoveaDeviceInfo.MULTIPROCESSORS.get(block));
  }

  @Override
  public NativeLibrary library() {
    NativeLoader.Result found = load();
    return found
        .library()
        .orElseThrow(
            () -> new FoveaException(Status.LIBRARY_NOT_LOADED, found.report().toString()));
  }

  @Override
  public MemorySegment info() {
    MemorySegment block = info;
    if (block == null) { // two threads may both make one: they are equal
      block = query();
      Device.Isa wanted = tier != null ? tier : forced();
      if (wanted != null) {
        int available = FoveaDeviceInfo.ISA_AVAILABLE.get(block);
        if ((available & 1 << code(wanted)) == 0) {
          throw new UnsupportedOperationException(
              "this CPU, %s, does not run %s code"
                  .formatted(FoveaDeviceInfo.NAME.get(block), wanted.text()));
        }
        FoveaDeviceInfo.ISA.set(block, code(wanted));
      }
      info = block;
    }
    return block;
  }

  @Override
  public boolean hostMemory() {
    return true;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    return bytes < HugePages.LEAST
        ? arena.allocate(bytes, Abi.ALIGNMENT)
        : HugePages.allocate(bytes, arena);
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    device.copyFrom(host);
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    host.copyFrom(device);
  }

  @Override
  public MemorySegment stream() {
    return MemorySegment.NULL;
  }

  private static MemorySegment query() {
    NativeLibrary library = Device.cpu().backend().library();
    MemorySegment block = FoveaDeviceInfo.allocate(Arena.ofAuto());
    int status = library.deviceQuery(0, block);
    if (status != Abi.OK) {
      throw Failures.of(status, FoveaDeviceInfo.ERROR.get(block));
    }
    return block;
  }

  private static Device.Isa forced() {
    String text = System.getProperty(FORCED);
    if (text == null) {
      return null;
    }
    return Stream.of(Device.Isa.values())
        .filter(tier -> tier.text().equals(text.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "-D%s=%s is not one of %s"
                        .formatted(
                            FORCED,
                            text,
                            Stream.of(Device.Isa.values())
                                .map(Device.Isa::text)
                                .collect(Collectors.joining(", ")))));
  }

  private static int code(Device.Isa tier) {
    return tier.ordinal() + Abi.ISA_PORTABLE;
  }
}
