package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.ffi.CublasLt;
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

  /** Elements that are multiplied by themselves at a time: few enough for any algorithm. */
  private static final long DOT = 1 << 20;

  private final Device device;
  private final DeviceBackend backend;
  private final Tensor workspace;
  private final Tensor square; // of a norm

  DeviceProducts(Scope scope) {
    device = scope.device();
    backend = Devices.backend(device);
    CublasLt.get(); // or says what is missing
    workspace = scope.allocate(DType.FLOAT32, WORKSPACE / Float.BYTES);
    square = scope.allocate(DType.FLOAT32, 1, 1);
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

  @Override
  public double norm(Tensor vector) {
    square.fill(0);
    for (long from = 0; from < vector.elements(); from += DOT) {
      Tensor part = vector.slice(0, from, Math.min(from + DOT, vector.elements())).unsqueeze(0);
      try (Product product = bind(Factor.of(part), Factor.transposed(part), square, null, true)) {
        product.run();
      }
    }
    return Math.sqrt(square.getFloat(0, 0));
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
            address(workspace),
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
