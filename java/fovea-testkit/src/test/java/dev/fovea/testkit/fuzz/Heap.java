package dev.fovea.testkit.fuzz;

import dev.fovea.Tensor;
import dev.fovea.testkit.GuardedMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.Random;

/**
 * Memory of a caller, between forbidden pages: pieces of it become tensors, the rest is canaries.
 */
final class Heap implements AutoCloseable {

  private static final int BYTES = 1 << 16;
  private static final byte CANARY = (byte) 0x5C;

  private final GuardedMemory memory =
      GuardedMemory.allocate(BYTES, GuardedMemory.Side.END, 1); // a multiple of pages: both ends
  private final MemorySegment all = memory.segment().fill(CANARY);
  private final BitSet taken = new BitSet(BYTES);
  private int next;

  /** Null once the heap is full. The last piece may end where the heap does. */
  synchronized MemorySegment piece(Random random, long bytes, long alignment) {
    long from = (next + random.nextInt(40) + alignment - 1) / alignment * alignment;
    if (bytes > BYTES - from) {
      from = (BYTES - bytes) / alignment * alignment; // once: then nothing fits any more
      if (from < next) {
        return null;
      }
      from = BYTES - bytes;
    }
    taken.set((int) from, (int) (from + bytes));
    next = (int) (from + bytes);
    return all.asSlice(from, bytes);
  }

  /** Fails where a byte that belongs to no tensor has changed. */
  void check() {
    for (int i = taken.nextClearBit(0); i < BYTES; i = taken.nextClearBit(i + 1)) {
      if (all.get(ValueLayout.JAVA_BYTE, i) != CANARY) {
        throw new AssertionError("byte " + i + " of no tensor was written");
      }
    }
  }

  byte[] snapshot() {
    return all.toArray(ValueLayout.JAVA_BYTE);
  }

  /** Fails where a byte has changed since that is no element of what was to be written. */
  void onlyChanged(byte[] before, List<Tensor> written) {
    BitSet allowed = new BitSet(BYTES);
    for (Tensor tensor : written) {
      allow(allowed, tensor, 0, tensor.address() - all.address());
    }
    for (int i = allowed.nextClearBit(0); i < BYTES; i = allowed.nextClearBit(i + 1)) {
      if (all.get(ValueLayout.JAVA_BYTE, i) != before[i]) {
        throw new AssertionError("byte " + i + " was written, and is no element of an output");
      }
    }
  }

  private static void allow(BitSet allowed, Tensor tensor, int dim, long at) {
    if (dim == tensor.rank()) {
      if (at >= 0 && at < BYTES) { // other memory
        allowed.set((int) at, (int) (at + tensor.dtype().byteSize()));
      }
      return;
    }
    long step = tensor.stride(dim) * tensor.dtype().byteSize();
    for (long i = 0; i < tensor.size(dim); i++) {
      allow(allowed, tensor, dim + 1, at + i * step);
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
