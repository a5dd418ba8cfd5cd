package dev.fovea.testkit.fuzz;

import dev.fovea.Tensor;
import java.lang.foreign.MemorySegment;

/** The elements of a tensor of any strides, byte by byte, in row-major order. */
final class Elements {

  private Elements() {}

  static byte[] read(Tensor tensor) {
    byte[] bytes = new byte[(int) (tensor.elements() * tensor.dtype().byteSize())];
    if (bytes.length > 0) {
      copy(tensor, 0, tensor.address(), MemorySegment.ofArray(bytes), 0, false);
    }
    return bytes;
  }

  static void write(Tensor tensor, byte[] bytes) {
    if (bytes.length > 0) {
      copy(tensor, 0, tensor.address(), MemorySegment.ofArray(bytes), 0, true);
    }
  }

  @SuppressWarnings("restricted")
  private static long copy(
      Tensor tensor, int dim, long address, MemorySegment bytes, long at, boolean write) {
    int width = tensor.dtype().byteSize();
    if (dim == tensor.rank()) {
      MemorySegment element = MemorySegment.ofAddress(address).reinterpret(width);
      if (write) {
        MemorySegment.copy(bytes, at, element, 0, width);
      } else {
        MemorySegment.copy(element, 0, bytes, at, width);
      }
      return at + width;
    }
    for (long i = 0; i < tensor.size(dim); i++) {
      long next = address + i * tensor.stride(dim) * width;
      at = copy(tensor, dim + 1, next, bytes, at, write);
    }
    return at;
  }
}
