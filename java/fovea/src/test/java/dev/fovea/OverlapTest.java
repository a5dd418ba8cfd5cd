package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Two views overlap exactly where they have a byte in common. */
class OverlapTest {
  private static final int MEMORY = 4096;

  private static final DType[] TYPES = {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.BOOL};

  private final MemorySegment memory = Arena.ofAuto().allocate(MEMORY, 64);

  /** Every byte that an element of the view has. */
  private BitSet bytes(Tensor tensor) {
    BitSet bytes = new BitSet(MEMORY);
    int size = tensor.dtype().byteSize();
    long[] index = new long[tensor.rank()];
    for (long element = 0; element < tensor.elements(); element++) {
      long rest = element;
      for (int dim = index.length - 1; dim >= 0; dim--) {
        index[dim] = rest % tensor.size(dim);
        rest /= tensor.size(dim);
      }
      long offset = Layouts.offset(index, tensor.rawShape(), tensor.rawStrides());
      int at = (int) (tensor.address() - memory.address() + offset * size);
      bytes.set(at, at + size);
    }
    return bytes;
  }

  private Tensor random(Random random, int reach) {
    DType type = TYPES[random.nextInt(TYPES.length)];
    int rank = random.nextInt(5);
    long[] shape = new long[rank];
    long[] strides = new long[rank];
    for (int dim = 0; dim < rank; dim++) {
      shape[dim] = random.nextInt(20) == 0 ? 0 : 1 + random.nextInt(5);
      strides[dim] = random.nextInt(8) == 0 ? 0 : random.nextInt(1, reach);
    }
    long offset = random.nextInt(60) * (long) type.byteSize();
    return Tensor.of(memory.asSlice(offset), type, shape, strides);
  }

  @Test
  void asCountedByteByByte() {
    Random random = new Random(5);
    int[] seen = new int[2];
    for (int n = 0; n < 60_000; n++) {
      Tensor one = random(random, n % 3 == 0 ? 6 : 40);
      Tensor other = random(random, n % 2 == 0 ? 6 : 40);
      boolean expected = bytes(one).intersects(bytes(other));
      String why = "case " + n + ": " + one + ", " + other;
      assertEquals(expected, Overlap.between(one, other), why);
      assertEquals(expected, Overlap.between(other, one), why);
      seen[expected ? 1 : 0]++;
    }
    assertTrue(seen[0] > 10_000 && seen[1] > 10_000, Arrays.toString(seen));
  }

  /** As above, of layouts in which spans meet and elements mostly do not. */
  @Test
  void interleavedAsCountedByteByByte() {
    Random random = new Random(6);
    int[] seen = new int[2];
    for (int n = 0; n < 20_000; n++) {
      int pitch = 12 + random.nextInt(20);
      long[] strides = {(1 + random.nextInt(5)) * pitch + random.nextInt(2), pitch, 1};
      long[] shape = {1 + random.nextInt(4), 1 + random.nextInt(4), 1 + random.nextInt(8)};
      int[] at = {random.nextInt(pitch), random.nextInt(pitch)};
      Tensor[] views = new Tensor[2];
      for (int v = 0; v < 2; v++) {
        DType type = TYPES[random.nextInt(2)];
        long[] sizes = shape.clone();
        sizes[random.nextInt(3)] = 1 + random.nextInt(4);
        long[] steps = strides.clone();
        for (int dim = 0; dim < 3; dim++) {
          steps[dim] *= 4 / type.byteSize();
        }
        views[v] = Tensor.of(memory.asSlice(4L * at[v]), type, sizes, steps);
      }
      boolean expected = bytes(views[0]).intersects(bytes(views[1]));
      assertEquals(expected, Overlap.between(views[0], views[1]), "case " + n);
      seen[expected ? 1 : 0]++;
    }
    assertTrue(seen[0] > 5000 && seen[1] > 5000, Arrays.toString(seen));
  }

  private static Tensor far(long address, long[] shape, long[] strides) {
    return Tensor.ofAddress(Device.cpu(), address, DType.FLOAT32, shape, strides);
  }

  @Test
  void theThreeViewsOfOneProjectionAreApart() {
    long row = 3L * 64 * 128;
    long[] shape = {1 << 20, 1 << 20, 64, 128};
    long[] strides = {row << 20, row, 128, 1};
    Tensor query = far(1 << 20, shape, strides);
    Tensor key = far((1 << 20) + 4L * 64 * 128, shape, strides);
    Tensor value = far((1 << 20) + 8L * 64 * 128, shape, strides);
    assertFalse(Overlap.between(query, key) || Overlap.between(value, query));
    assertFalse(Overlap.between(key, value));
    // One element before its place, it has the other's last one.
    assertTrue(Overlap.between(query, far(value.address() - 4 - 4L * 64 * 128, shape, strides)));
  }

  @Test
  void addressesAreUnsignedAndSpansMayBeHuge() {
    long[] one = {1};
    Tensor low = far(Long.MAX_VALUE - 7, new long[] {4}, one);
    Tensor high = far(Long.MIN_VALUE, new long[] {4}, one);
    assertTrue(Overlap.between(low, high) && Overlap.between(high, low));
    assertFalse(Overlap.between(low, far(Long.MIN_VALUE + 8, new long[] {4}, one)));
    Tensor huge = far(1 << 20, new long[] {2}, new long[] {1L << 60});
    // Not looked into, but not said to be apart either.
    assertTrue(Overlap.between(huge, far((1 << 20) + 64, new long[] {4}, one)));
    assertFalse(Overlap.between(huge, far(64, new long[] {4}, one)));
  }

  /** Which of many numbers sum to a given one: what takes too long to decide must not. */
  @Test
  void viewsTooContrivedToDecideCountAsOverlapping() {
    Random random = new Random(7);
    long[] shape = new long[22];
    long[] strides = new long[22];
    Arrays.fill(shape, 2);
    long span = 0;
    for (int dim = 0; dim < strides.length; dim++) {
      strides[dim] = random.nextLong(1L << 50, 1L << 51);
      span += strides[dim];
    }
    for (int chosen = 0; chosen < 1 << strides.length; chosen++) {
      long sum = 0;
      for (int dim = 0; dim < strides.length; dim++) {
        sum += (chosen >> dim & 1) * strides[dim];
      }
      assertTrue(sum != span / 2, "they are apart");
    }
    Tensor wide = far(1 << 20, shape, strides);
    Tensor middle = far((1 << 20) + span / 2 * 4, new long[] {1}, new long[] {1});
    assertTrue(Overlap.between(wide, middle));
  }
}
