package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.ffi.CublasLt;
import dev.fovea.nn.Buffers.Buffer;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Products on an NVIDIA GPU, by cuBLASLt in the device's own stream: float32 sums of any type. */
final class DeviceProducts implements Products {
  /** What NVIDIA recommends for Hopper; less is enough for others. */
  private static final long WORKSPACE = 32 << 20;

  /** cudaDataType_t. */
  private static final Map<DType, Integer> TYPES =
      Map.of(DType.FLOAT32, 0, DType.FLOAT16, 2, DType.BFLOAT16, 14);

  /** A handle for each device, for the rest of the process. */
  private static final Map<DeviceBackend, MemorySegment> HANDLES = new ConcurrentHashMap<>();

  private final Device device;
  private final DeviceBackend backend;
  private final Buffer workspace;

  DeviceProducts(Tape tape) {
    device = tape.device();
    backend = Devices.backend(device);
    CublasLt.get(); // or says what is missing
    workspace = tape.take(DType.FLOAT32, WORKSPACE / Float.BYTES);
  }

  private static MemorySegment handle(DeviceBackend backend) {
    return HANDLES.computeIfAbsent(backend, it -> CublasLt.get().open());
  }

  @Override
  public Product bind(Factor a, Factor b, Tensor to, Tensor bias, boolean isAdded) {
    backend.enter();
    try {
      return new Bound(
          a.matrix(),
          b.matrix(),
          to,
          CublasLt.get()
              .product(
                  handle(backend),
                  matrix(a.matrix(), a.isTransposed()),
                  matrix(b.matrix(), b.isTransposed()),
                  matrix(to, false),
                  bias == null ? MemorySegment.NULL : address(bias),
                  isAdded,
                  WORKSPACE));
    } finally {
      backend.leave();
    }
  }

  private static CublasLt.Matrix matrix(Tensor tensor, boolean isTransposed) {
    return new CublasLt.Matrix(
        TYPES.get(tensor.dtype()),
        tensor.size(0),
        tensor.size(1),
        Math.max(tensor.stride(0), tensor.size(1)),
        isTransposed);
  }

  private static MemorySegment address(Tensor tensor) {
    return MemorySegment.ofAddress(tensor.address());
  }

  private final class Bound implements Product {
    private final MemorySegment a;
    private final MemorySegment b;
    private final MemorySegment to;
    private final CublasLt.Product product;

    Bound(Tensor a, Tensor b, Tensor to, CublasLt.Product product) {
      this.a = address(a);
      this.b = address(b);
      this.to = address(to);
      this.product = product;
    }

    @Override
    public void run() {
      backend.enter();
      try {
        product.run(
            a,
            b,
            to,
            address(workspace.tensor()),
            WORKSPACE,
            MemorySegment.ofAddress(device.stream().handle()));
      } finally {
        backend.leave();
      }
    }

    @Override
    public void close() {
      product.close();
    }
  }
}
