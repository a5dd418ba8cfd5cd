package dev.fovea.cuda;

import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuInit;

import dev.fovea.FoveaException;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.CudaDriver;
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
import java.util.Optional;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;

/** The service behind {@code cuda:0} and on. Whatever is missing ends up in a report. */
public final class CudaProvider implements DeviceProvider {
  private static final String LIBRARY = "fovea_cuda";

  private final List<DeviceBackend> devices = new ArrayList<>();
  private final List<LoadReport> reports = new ArrayList<>();

  /** Looks for driver, library and devices. */
  public CudaProvider() {
    // First what costs nothing: the library is large, and of no use without a driver.
    Optional<String> noDriver = CudaDriver.missing();
    if (noDriver.isPresent()) {
      refuse(LIBRARY, "NVIDIA driver", noDriver.get() + ", so no GPU can be used");
      return;
    }
    NativeLoader.Result result = NativeLoader.load(LIBRARY);
    reports.add(result.report());
    result.library().ifPresent(this::findDevices);
  }

  private void findDevices(NativeLibrary library) {
    Optional<String> noJCuda = JCudaLibrary.load();
    if (noJCuda.isPresent()) {
      refuse("jcuda", "JCudaDriver", noJCuda.get());
      return;
    }
    try {
      int[] count = new int[1];
      Driver.call("cuInit", () -> cuInit(0));
      Driver.call("cuDeviceGetCount", () -> cuDeviceGetCount(count));
      for (int ordinal = 0; ordinal < count[0]; ordinal++) {
        findDevice(library, ordinal);
      }
    } catch (FoveaException e) {
      refuse("cuda", "NVIDIA driver", e.getMessage());
    }
  }

  private void findDevice(NativeLibrary library, int ordinal) {
    MemorySegment info = FoveaDeviceInfo.allocate(Arena.ofAuto());
    if (library.deviceQuery(ordinal, info) != Abi.OK) {
      refuse("cuda:" + ordinal, library.name(), FoveaDeviceInfo.ERROR.get(info));
    } else if (!hasPools(ordinal)) {
      refuse("cuda:" + ordinal, "NVIDIA driver", "the device has no memory pools");
    } else {
      devices.add(new CudaBackend(library, info));
    }
  }

  private static boolean hasPools(int ordinal) {
    CUdevice device = new CUdevice();
    int[] has = new int[1];
    Driver.call("cuDeviceGet", () -> cuDeviceGet(device, ordinal));
    Driver.call(
        "cuDeviceGetAttribute",
        () ->
            cuDeviceGetAttribute(
                has, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, device));
    return has[0] != 0;
  }

  private void refuse(String name, String place, String reason) {
    reports.add(LoadReport.refused(name, place, reason));
  }

  @Override
  public List<DeviceBackend> devices() {
    return List.copyOf(devices);
  }

  @Override
  public List<LoadReport> reports() {
    return List.copyOf(reports);
  }
}
