package dev.fovea.cuda;

import static jcuda.driver.JCudaDriver.cuPointerGetAttribute;

import dev.fovea.ffi.CudaDriver;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.spi.DeviceStreams;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUpointer_attribute;
import jcuda.driver.CUresult;

/** One GPU. Looking at it is cheap; its context is made when somebody needs memory or a stream. */
final class CudaBackend implements DeviceBackend {
  /** Of the device's memory, what its pool may keep although nobody uses it: one part in these. */
  private static final int KEPT = 16;

  /** What takes memory on the device. */
  private record Opened(PrimaryContext context, CudaStreams streams, Staging staging) {}

  private final NativeLibrary library;
  private final MemorySegment info;
  private final int ordinal;
  private volatile Opened opened; // null: nobody has used the device yet

  CudaBackend(NativeLibrary library, MemorySegment info) {
    this.library = library;
    this.info = info;
    this.ordinal = FoveaDeviceInfo.INDEX.get(info);
  }

  private Opened opened() {
    Opened found = opened;
    if (found == null) {
      synchronized (this) {
        found = opened;
        if (found == null) {
          found = open();
          opened = found;
        }
      }
    }
    return found;
  }

  private Opened open() {
    PrimaryContext context = new PrimaryContext(ordinal);
    long kept = FoveaDeviceInfo.MEMORY_BYTES.get(info) / KEPT;
    Driver.call("cuMemPoolSetAttribute", () -> CudaDriver.keepUnused(ordinal, kept));
    CudaStreams streams = new CudaStreams(name(), context);
    return new Opened(context, streams, new Staging(context, streams));
  }

  @Override
  public String name() {
    return "cuda:" + ordinal;
  }

  @Override
  public String description() {
    int capability = FoveaDeviceInfo.COMPUTE_CAPABILITY.get(info);
    return "%s, compute capability %d.%d, %d multiprocessors, %d GiB"
        .formatted(
            FoveaDeviceInfo.NAME.get(info),
            capability / 10,
            capability % 10,
            FoveaDeviceInfo.MULTIPROCESSORS.get(info),
            FoveaDeviceInfo.MEMORY_BYTES.get(info) >> 30);
  }

  @Override
  public NativeLibrary library() {
    return library;
  }

  @Override
  public MemorySegment info() {
    return info;
  }

  @Override
  public boolean hostMemory() {
    return false;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    throw new UnsupportedOperationException("memory of " + name() + " is allocated by streams()");
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    opened().staging.copyIn(host, device.address());
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    opened().staging.copyOut(device.address(), host);
  }

  @Override
  public MemorySegment stream() {
    return MemorySegment.ofAddress(JCudaHandles.value(opened().streams.own()));
  }

  @Override
  public DeviceStreams streams() {
    return opened().streams;
  }

  @Override
  public void enter() {
    opened().context.enter();
  }

  @Override
  public void leave() {
    opened().context.leave();
  }

  @Override
  public void checkAddress(long address) {
    int[] owner = new int[1];
    int result =
        Driver.result(
            () ->
                cuPointerGetAttribute(
                    Pointer.to(owner),
                    CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                    JCudaHandles.device(address)));
    if (result == CUresult.CUDA_ERROR_INVALID_VALUE) {
      throw new IllegalArgumentException(
          "address 0x%x is not known to the driver: it is no memory of %s"
              .formatted(address, name()));
    }
    Driver.call("cuPointerGetAttribute", () -> result);
    if (owner[0] >= 0 && owner[0] != ordinal) { // managed memory may be of no device
      throw new IllegalArgumentException(
          "address 0x%x is memory of cuda:%d, not of %s".formatted(address, owner[0], name()));
    }
  }
}
