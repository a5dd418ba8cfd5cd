package dev.fovea;

import dev.fovea.ffi.Memory;
import java.lang.foreign.MemorySegment;
import java.nio.Buffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * Checks of the memory that a tensor is made over: once made, none of its elements lies outside.
 */
final class TensorMemory {
  private TensorMemory() {}

  /** Takes the arrays as they are. */
  static Tensor view(
      Device device, Scope scope, MemorySegment data, DType dtype, long[] shape, long[] strides) {
    Objects.requireNonNull(device, "device");
    Objects.requireNonNull(dtype, "dtype");
    if (!data.isNative()) {
      throw new IllegalArgumentException(
          "data is a heap segment: attention needs native memory, from a Scope or an Arena");
    }
    long bytes = Layouts.spanBytes(shape, strides, dtype);
    if (bytes > data.byteSize()) {
      throw new IllegalArgumentException(
          "data has %d bytes, but %s%s with strides %s needs %d"
              .formatted(
                  data.byteSize(), dtype, Arrays.toString(shape), Arrays.toString(strides), bytes));
    }
    if (data.address() % dtype.byteSize() != 0) {
      throw new IllegalArgumentException(
          "data starts at address 0x%x, which is not a multiple of the %d bytes of %s"
              .formatted(data.address(), dtype.byteSize(), dtype));
    }
    return new Tensor(device, scope, data.asSlice(0, bytes), dtype, shape, strides);
  }

  /** As {@link #view}, of somebody else's memory. */
  static Tensor at(Device device, long address, DType dtype, long[] shape, long[] strides) {
    long bytes = Layouts.spanBytes(shape, strides, dtype);
    if (address == 0 && bytes > 0) {
      throw new IllegalArgumentException("address is 0");
    }
    if (bytes > 0) {
      device.backend().checkAddress(address);
    }
    return view(device, null, Memory.at(address, bytes), dtype, shape, strides);
  }

  static MemorySegment of(Buffer buffer, ByteOrder order) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("the buffer is on the heap: it must be direct");
    }
    if (order != ByteOrder.nativeOrder()) {
      throw new IllegalArgumentException(
          "the buffer is in byte order %s, not in the native %s"
              .formatted(order, ByteOrder.nativeOrder()));
    }
    return MemorySegment.ofBuffer(buffer);
  }
}
