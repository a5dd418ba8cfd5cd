package dev.fovea.testkit.sim;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.ffi.report.LoadReport;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.spi.DeviceProvider;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The simulated GPUs of {@code libfovea_sim}: one for each architecture, named after it, {@code
 * sim:sm_80} first. The library is part of no artifact: where neither a property nor {@code
 * java.library.path} leads to it, there are no such devices.
 */
public final class SimProvider implements DeviceProvider {

  private final NativeLoader.Result loaded = NativeLoader.load("fovea_sim");

  /** Made by {@link java.util.ServiceLoader}. */
  public SimProvider() {}

  @Override
  public List<DeviceBackend> devices() {
    return loaded.library().map(SimProvider::all).orElse(List.of());
  }

  @Override
  public List<LoadReport> reports() {
    return List.of(loaded.report());
  }

  /** Indices go on until the library knows no such device. */
  private static List<DeviceBackend> all(NativeLibrary library) {
    List<DeviceBackend> devices = new ArrayList<>();
    MemorySegment info = FoveaDeviceInfo.allocate(Arena.global());
    while (library.deviceQuery(devices.size(), info) == Abi.OK) {
      devices.add(new SimBackend(library, info));
      info = FoveaDeviceInfo.allocate(Arena.global());
    }
    return devices;
  }
}
