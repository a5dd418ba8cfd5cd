package dev.fovea;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The elements of a strided view of memory, each once in row-major order.
 *
 * <p>They move in blocks through small arrays on the heap: C2 vectorises loops over arrays, and not
 * those over memory that may overlap. Nothing is bound to the rows of the view; those that lie
 * behind one another count as one.
 */
final class Elements {
  /** Of one block: its arrays stay in the first cache. */
  static final int BLOCK = 1024;

  /** Fewer elements than these are copied one by one. */
  private static final int FEW = 6;

  private final MemorySegment segment;
  private final DType dtype;
  private final long count;
  private long taken; // by next

  // Dimensions of more than one element, as few as can be, the innermost first.
  private final long[] sizes;
  private final long[] strides;
  private int rank;

  // The next element: in the innermost dimension, in the others, and where the row begins.
  private long column;
  private final long[] index;
  private long row;

  Elements(MemorySegment segment, DType dtype, long[] shape, long[] strides) {
    this.segment = segment;
    this.dtype = dtype;
    this.count = Layouts.elements(shape);
    this.sizes = new long[shape.length + 1];
    this.strides = new long[shape.length + 1];
    this.index = new long[shape.length + 1];
    for (int dim = shape.length - 1; dim >= 0; dim--) {
      append(shape[dim], strides[dim]);
    }
    if (rank == 0) {
      sizes[0] = 1;
      this.strides[0] = 1;
      rank = 1;
    }
  }

  private void append(long size, long stride) {
    if (size == 1) {
      return;
    }
    if (rank > 0 && stride == strides[rank - 1] * sizes[rank - 1]) {
      sizes[rank - 1] *= size;
    } else {
      sizes[rank] = size;
      strides[rank] = stride;
      rank++;
    }
  }

  static Elements of(Tensor tensor, MemorySegment segment) {
    return new Elements(segment, tensor.dtype(), tensor.rawShape(), tensor.rawStrides());
  }

  /** All of a segment, on the heap or not, aligned or not. */
  static Elements of(MemorySegment segment, DType dtype) {
    return new Elements(
        segment, dtype, new long[] {segment.byteSize() / dtype.byteSize()}, new long[] {1});
  }

  private boolean isDense() {
    return rank == 1 && strides[0] == 1;
  }

  /**
   * Copies all elements of {@code from} to the next ones of {@code to}. The bits stay the same
   * within a type; between floating types values are converted, to nearest with ties to even.
   */
  static void copy(Elements from, Elements to) {
    if (from.dtype == to.dtype && from.count == to.count && from.isDense() && to.isDense()) {
      long bytes = from.count * from.dtype.byteSize();
      MemorySegment.copy(from.segment, 0, to.segment, 0, bytes);
      return;
    }
    Block block = new Block(from.count);
    for (long left = from.count; left > 0; left -= BLOCK) {
      int n = (int) Math.min(left, BLOCK);
      from.read(block, n);
      if (from.dtype != to.dtype) {
        block.toFloat32(from.dtype, n);
        block.fromFloat32(to.dtype, n);
      }
      to.write(block, n);
    }
  }

  /** Sets all elements from {@code values}, each rounded once. */
  void copyFrom(double[] values) {
    Block block = new Block(count);
    for (int done = 0; done < count; done += BLOCK) {
      int n = (int) Math.min(count - done, BLOCK);
      block.set(values, done, dtype, n);
      block.fromFloat32(dtype, n);
      write(block, n);
    }
  }

  /** Sets all elements to a value, given as the bits of a float or an int. */
  void fill(int bits) {
    Block block = new Block(count);
    Arrays.fill(block.words, bits);
    block.fromFloat32(dtype, block.words.length);
    for (long left = count; left > 0; left -= BLOCK) {
      write(block, (int) Math.min(left, BLOCK));
    }
  }

  /** Reads the next elements, up to a block of them; returns how many. */
  int next(double[] to) {
    int n = (int) Math.min(count - taken, BLOCK);
    taken += n;
    Block block = new Block(n);
    read(block, n);
    block.toFloat32(dtype, n);
    for (int i = 0; i < n; i++) {
      to[i] = dtype.isFloating() ? Float.intBitsToFloat(block.words[i]) : block.words[i];
    }
    return n;
  }

  private void read(Block block, int n) {
    for (int at = 0, length; at < n; at += length) {
      length = inRow(n - at);
      switch (dtype.byteSize()) {
        case Integer.BYTES -> read(block.words, at, length);
        case Short.BYTES -> read(block.halves, at, length);
        default -> read(block.bytes, at, length);
      }
      advance(length);
    }
  }

  private void write(Block block, int n) {
    for (int at = 0, length; at < n; at += length) {
      length = inRow(n - at);
      switch (dtype.byteSize()) {
        case Integer.BYTES -> write(block.words, at, length);
        case Short.BYTES -> write(block.halves, at, length);
        default -> write(block.bytes, at, length);
      }
      advance(length);
    }
  }

  /** Of so many elements those that are in this row. */
  private int inRow(int wanted) {
    return (int) Math.min(wanted, sizes[0] - column);
  }

  private void advance(int length) {
    column += length;
    if (column == sizes[0]) {
      nextRow();
    }
  }

  private void nextRow() {
    column = 0;
    for (int dim = 1; dim < rank; dim++) {
      row += strides[dim];
      if (++index[dim] < sizes[dim]) {
        return;
      }
      row -= strides[dim] * sizes[dim];
      index[dim] = 0;
    }
  }

  private void read(int[] to, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(segment, JAVA_INT_UNALIGNED, offset * Integer.BYTES, to, at, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      to[at + i] = segment.getAtIndex(JAVA_INT_UNALIGNED, offset + i * stride);
    }
  }

  private void read(short[] to, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(segment, JAVA_SHORT_UNALIGNED, offset * Short.BYTES, to, at, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      to[at + i] = segment.getAtIndex(JAVA_SHORT_UNALIGNED, offset + i * stride);
    }
  }

  private void read(byte[] to, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(segment, JAVA_BYTE, offset, to, at, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      to[at + i] = segment.get(JAVA_BYTE, offset + i * stride);
    }
  }

  private void write(int[] from, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(from, at, segment, JAVA_INT_UNALIGNED, offset * Integer.BYTES, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      segment.setAtIndex(JAVA_INT_UNALIGNED, offset + i * stride, from[at + i]);
    }
  }

  private void write(short[] from, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(from, at, segment, JAVA_SHORT_UNALIGNED, offset * Short.BYTES, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      segment.setAtIndex(JAVA_SHORT_UNALIGNED, offset + i * stride, from[at + i]);
    }
  }

  private void write(byte[] from, int at, int length) {
    long stride = strides[0];
    long offset = row + column * stride;
    if (stride == 1 && length > FEW) {
      MemorySegment.copy(from, at, segment, JAVA_BYTE, offset, length);
      return;
    }
    for (int i = 0; i < length; i++) {
      segment.set(JAVA_BYTE, offset + i * stride, from[at + i]);
    }
  }

  /** Elements on the heap: as bits of their type, and as bits of float32. */
  private static final class Block {
    private final int[] words; // of float32 and int32; of bool 0 or 1
    private final short[] halves; // of the 16-bit types
    private final byte[] bytes; // of bool and the types of caches
    private final float[] floats; // the words again: float16 converts from and to these
    private final long[] pairs; // the words again: bfloat16 does

    Block(long count) {
      int even = (int) Math.min(count, BLOCK) + 1 & ~1;
      words = new int[even];
      halves = new short[even];
      bytes = new byte[even];
      floats = new float[even];
      pairs = new long[even / 2];
    }

    void toFloat32(DType dtype, int n) {
      int twos = (n + 1) / 2;
      switch (dtype) {
        case FLOAT16 -> {
          for (int i = 0; i < n; i++) {
            floats[i] = Float.float16ToFloat(halves[i]);
          }
          MemorySegment.copy(MemorySegment.ofArray(floats), JAVA_INT_UNALIGNED, 0, words, 0, n);
        }
        case BFLOAT16 -> {
          MemorySegment.copy(MemorySegment.ofArray(halves), JAVA_INT_UNALIGNED, 0, words, 0, twos);
          BFloat16.unpack(words, pairs, twos);
          MemorySegment.copy(pairs, 0, MemorySegment.ofArray(words), JAVA_LONG_UNALIGNED, 0, twos);
        }
        case BOOL -> {
          for (int i = 0; i < n; i++) {
            words[i] = bytes[i] == 0 ? 0 : 1;
          }
        }
        case INT8, INT4X2, FLOAT8_E4M3 -> {
          for (int i = 0; i < n; i++) {
            words[i] = bytes[i];
          }
        }
        default -> {}
      }
    }

    void fromFloat32(DType dtype, int n) {
      int twos = (n + 1) / 2;
      switch (dtype) {
        case FLOAT16 -> {
          MemorySegment.copy(words, 0, MemorySegment.ofArray(floats), JAVA_INT_UNALIGNED, 0, n);
          for (int i = 0; i < n; i++) {
            halves[i] = Float.floatToFloat16(floats[i]);
          }
        }
        case BFLOAT16 -> {
          BFloat16.round(words, n);
          MemorySegment.copy(MemorySegment.ofArray(words), JAVA_LONG_UNALIGNED, 0, pairs, 0, twos);
          BFloat16.pack(pairs, words, twos);
          MemorySegment.copy(words, 0, MemorySegment.ofArray(halves), JAVA_INT_UNALIGNED, 0, twos);
        }
        case BOOL, INT8, INT4X2, FLOAT8_E4M3 -> {
          for (int i = 0; i < n; i++) {
            bytes[i] = (byte) words[i];
          }
        }
        default -> {}
      }
    }

    void set(double[] values, int from, DType dtype, int n) {
      boolean narrower = dtype.byteSize() < Float.BYTES;
      for (int i = 0; i < n; i++) {
        double value = values[from + i];
        words[i] = Float.floatToRawIntBits(narrower ? toOdd(value) : (float) value);
      }
    }

    /** Of the two neighbours the odd one, so that rounding this again gives what once would. */
    private static float toOdd(double value) {
      float nearest = (float) value;
      int bits = Float.floatToRawIntBits(nearest);
      if (nearest == value || Double.isNaN(value) || (bits & 1) != 0) {
        return nearest;
      }
      return Float.intBitsToFloat(Math.abs(nearest) > Math.abs(value) ? bits - 1 : bits + 1);
    }
  }
}
