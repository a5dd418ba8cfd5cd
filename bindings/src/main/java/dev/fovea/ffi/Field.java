package dev.fovea.ffi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * One field of a C struct: where it lies, and a typed getter and setter over a block.
 *
 * <p>Fields are {@code static final} records, so the compiler folds their offsets into the access:
 * {@code FoveaCall.BEGIN.set(block, 0)} is one store. Offsets come from the struct's layout, never
 * from a number written by hand.
 */
public sealed interface Field {
  /** Bytes from the start of the struct. */
  long offset();

  /** An {@code int32_t} or {@code uint32_t}. */
  record Int32(long offset) implements Field {
    static Int32 of(StructLayout struct, String name) {
      return new Int32(find(struct, name, ValueLayout.JAVA_INT));
    }

    public int get(MemorySegment block) {
      return block.get(ValueLayout.JAVA_INT, offset);
    }

    public void set(MemorySegment block, int value) {
      block.set(ValueLayout.JAVA_INT, offset, value);
    }
  }

  /** An {@code int64_t} or {@code uint64_t}. */
  record Int64(long offset) implements Field {
    static Int64 of(StructLayout struct, String name) {
      return new Int64(find(struct, name, ValueLayout.JAVA_LONG));
    }

    public long get(MemorySegment block) {
      return block.get(ValueLayout.JAVA_LONG, offset);
    }

    public void set(MemorySegment block, long value) {
      block.set(ValueLayout.JAVA_LONG, offset, value);
    }
  }

  /** A {@code float}. */
  record Float32(long offset) implements Field {
    static Float32 of(StructLayout struct, String name) {
      return new Float32(find(struct, name, ValueLayout.JAVA_FLOAT));
    }

    public float get(MemorySegment block) {
      return block.get(ValueLayout.JAVA_FLOAT, offset);
    }

    public void set(MemorySegment block, float value) {
      block.set(ValueLayout.JAVA_FLOAT, offset, value);
    }
  }

  /** A {@code double}. */
  record Float64(long offset) implements Field {
    static Float64 of(StructLayout struct, String name) {
      return new Float64(find(struct, name, ValueLayout.JAVA_DOUBLE));
    }

    public double get(MemorySegment block) {
      return block.get(ValueLayout.JAVA_DOUBLE, offset);
    }

    public void set(MemorySegment block, double value) {
      block.set(ValueLayout.JAVA_DOUBLE, offset, value);
    }
  }

  /** An array {@code int64_t[length]}. */
  record Int64Array(long offset, int length) implements Field {
    static Int64Array of(StructLayout struct, String name) {
      return new Int64Array(find(struct, name), count(struct, name, ValueLayout.JAVA_LONG));
    }

    public long get(MemorySegment block, int index) {
      return block.get(ValueLayout.JAVA_LONG, at(index));
    }

    public void set(MemorySegment block, int index, long value) {
      block.set(ValueLayout.JAVA_LONG, at(index), value);
    }

    private long at(int index) {
      // A wrong index would still lie inside the struct, so the segment would not catch it.
      if (index < 0 || index >= length) {
        throw new IndexOutOfBoundsException("index " + index + " of an array of " + length);
      }
      return offset + (long) index * Long.BYTES;
    }
  }

  /** A text in a {@code char[length]}, ended by a NUL or by the end of the array. */
  record Text(long offset, int length) implements Field {
    static Text of(StructLayout struct, String name) {
      return new Text(find(struct, name), count(struct, name, ValueLayout.JAVA_BYTE));
    }

    public String get(MemorySegment block) {
      byte[] bytes = block.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
      int end = 0;
      while (end < bytes.length && bytes[end] != 0) {
        end++;
      }
      return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }
  }

  /** A struct inside a struct. */
  record Struct(long offset, long size) implements Field {
    static Struct of(StructLayout struct, String name) {
      return new Struct(
          find(struct, name), struct.select(PathElement.groupElement(name)).byteSize());
    }

    /** The inner struct as a block of its own. */
    public MemorySegment get(MemorySegment block) {
      return block.asSlice(offset, size);
    }
  }

  private static long find(StructLayout struct, String name) {
    return struct.byteOffset(PathElement.groupElement(name));
  }

  private static long find(StructLayout struct, String name, ValueLayout type) {
    MemoryLayout member = struct.select(PathElement.groupElement(name));
    if (!member.withoutName().equals(type)) {
      throw new IllegalArgumentException(name + " is " + member + ", not " + type);
    }
    return find(struct, name);
  }

  private static int count(StructLayout struct, String name, ValueLayout element) {
    SequenceLayout array = (SequenceLayout) struct.select(PathElement.groupElement(name));
    if (!array.elementLayout().equals(element)) {
      throw new IllegalArgumentException(name + " is " + array + ", not an array of " + element);
    }
    return Math.toIntExact(array.elementCount());
  }
}
