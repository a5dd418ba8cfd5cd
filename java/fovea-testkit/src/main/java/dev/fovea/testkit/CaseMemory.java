package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.testkit.GuardedMemory.Side;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A buffer of a case: guarded memory of the host, and where a device cannot compute on that, a copy
 * in its own between two canaries. Their bits are NaN in every type, so that what is read there
 * shows. The copy is as badly aligned as the host's buffer.
 */
final class CaseMemory implements AutoCloseable {

  private static final long CANARY = 512; // bytes
  private static final byte CANARY_BITS = (byte) 0xFF;
  private static final long ALIGNMENT = 256; // what devices allocate at

  private final GuardedMemory host;
  private final Device device;
  private final Tensor copy; // with its canaries; null: the device computes on the host's memory
  private final long lead; // bytes of copy before the buffer
  private boolean sealed;

  private CaseMemory(GuardedMemory host, Device device, Scope scope) {
    this.host = host;
    this.device = device;
    long bytes = host.segment().byteSize();
    lead = CANARY + host.segment().address() % ALIGNMENT;
    long words = (lead + bytes + CANARY + Integer.BYTES - 1) / Integer.BYTES;
    copy = scope == null ? null : scope.allocate(DType.INT32, words);
  }

  /**
   * Allocates a buffer.
   *
   * @param scope of the device; null where it computes on the host's memory
   */
  static CaseMemory allocate(Device device, Scope scope, long bytes, Side side, long alignment) {
    return new CaseMemory(GuardedMemory.allocate(bytes, side, alignment), device, scope);
  }

  /** The host's buffer. */
  MemorySegment segment() {
    return host.segment();
  }

  /** What kernels compute on, from a byte on. */
  Tensor view(long from, DType type, long[] shape, long[] strides) {
    if (copy == null) {
      return Tensor.of(segment().asSlice(from), type, shape, strides).on(device);
    }
    return Tensor.ofAddress(device, copy.address() + lead + from, type, shape, strides);
  }

  /** From now on the contents stay as they are. */
  void seal() {
    host.seal();
    sealed = true;
    upload();
  }

  /** Brings the host's contents to the device, and fresh canaries. */
  void upload() {
    if (copy != null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment all = arena.allocate(onDevice().byteSize()).fill(CANARY_BITS);
        MemorySegment.copy(segment(), 0, all, lead, segment().byteSize());
        Devices.backend(device).copyIn(all, onDevice());
      }
    }
  }

  /** Brings the device's contents to the host; says what was written that must not be, or null. */
  String download() {
    long bytes = segment().byteSize();
    if (copy == null) {
      return host.slackIntact() ? null : "bytes next to a buffer of " + bytes + " were written";
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocate(onDevice().byteSize());
      Devices.backend(device).copyOut(onDevice(), all);
      byte[] copied = all.toArray(ValueLayout.JAVA_BYTE);
      for (long i = 0; i < copied.length; i++) {
        boolean isOwn = i >= lead && i < lead + bytes;
        if (!isOwn && copied[(int) i] != CANARY_BITS) {
          return "byte %d of a buffer of %d was written".formatted(i - lead, bytes);
        }
      }
      MemorySegment contents = all.asSlice(lead, bytes);
      if (!sealed) {
        segment().copyFrom(contents);
      } else if (contents.mismatch(segment()) >= 0) {
        return "an input of %d bytes was written".formatted(bytes);
      }
      return null;
    }
  }

  @SuppressWarnings("restricted") // the bytes of a tensor, whatever its type
  private MemorySegment onDevice() {
    return MemorySegment.ofAddress(copy.address()).reinterpret(copy.elements() * Integer.BYTES);
  }

  @Override
  public void close() {
    host.close();
  }
}
