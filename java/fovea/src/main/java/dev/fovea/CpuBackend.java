package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.ffi.report.LoadReport;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** The CPU, with one tier or with the best. Making one loads nothing: tensors need no library. */
final class CpuBackend implements DeviceBackend {
  private static final String FORCED = "fovea.cpu.isa";

  /** A report cannot fail, so a failure does not turn this class into a NoClassDefFoundError. */
  private static final class Library {
    static final NativeLoader.Result LOADED = NativeLoader.load("fovea_cpu");
  }

  private static final class Tiers {
    static final List<Device> DEVICES =
        Stream.of(Device.Isa.values()).map(tier -> Device.of(new CpuBackend(tier))).toList();
  }

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

  static LoadReport loadReport() {
    return Library.LOADED.report();
  }

  @Override
  public String name() {
    return tier == null ? "cpu" : "cpu:" + tier.text();
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
    return Library.LOADED
        .library()
        .orElseThrow(() -> new FoveaException(Status.LIBRARY_NOT_LOADED, loadReport().toString()));
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
    return arena.allocate(bytes, Abi.ALIGNMENT);
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
                    "-D%s=%s is not one of portable, avx2, avx512".formatted(FORCED, text)));
  }

  private static int code(Device.Isa tier) {
    return tier.ordinal() + Abi.ISA_PORTABLE;
  }
}
