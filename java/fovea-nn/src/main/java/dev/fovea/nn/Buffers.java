package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Memory of a tape: what is given back serves whoever asks next for as much or a little less, so
 * that steps of changing shapes allocate only while they grow.
 */
final class Buffers {
  /** A buffer may be this many times as large as what it is taken for. */
  private static final double SLACK = 1.5;

  private final Source source;
  private final Map<DType, TreeMap<Long, ArrayDeque<Tensor>>> free = new EnumMap<>(DType.class);

  /** A dense tensor, and all of the memory that it is the beginning of. */
  record Buffer(Tensor tensor, Tensor memory) {}

  /** Where more comes from. */
  interface Source {
    /** A vector. */
    Tensor allocate(DType dtype, long elements);
  }

  Buffers(Source source) {
    this.source = source;
  }

  /** A dense tensor with whatever values. */
  Buffer take(DType dtype, long... shape) {
    long elements = elements(shape); // before anything is taken that could be lost
    TreeMap<Long, ArrayDeque<Tensor>> sizes = free.get(dtype);
    Map.Entry<Long, ArrayDeque<Tensor>> fitting =
        sizes == null ? null : sizes.ceilingEntry(elements);
    if (fitting == null || fitting.getKey() > SLACK * elements) {
      Tensor memory = source.allocate(dtype, elements);
      return new Buffer(part(memory, elements, shape), memory);
    }
    Tensor memory = fitting.getValue().pop();
    if (fitting.getValue().isEmpty()) {
      sizes.remove(fitting.getKey());
    }
    return new Buffer(part(memory, elements, shape), memory);
  }

  private static long elements(long[] shape) {
    long elements = 1;
    for (long size : shape) {
      if (size < 0 || Math.multiplyHigh(elements, size) != 0 || elements * size < 0) {
        throw new IllegalArgumentException(
            "shape %s has a negative size or too many elements".formatted(Arrays.toString(shape)));
      }
      elements *= size;
    }
    return elements;
  }

  private static Tensor part(Tensor memory, long elements, long[] shape) {
    return memory.slice(0, 0, elements).reshape(shape);
  }

  /** The buffer is not used any more by work that is queued from now on. */
  void give(Buffer buffer) {
    free.computeIfAbsent(buffer.memory.dtype(), type -> new TreeMap<>())
        .computeIfAbsent(buffer.memory.elements(), size -> new ArrayDeque<>())
        .push(buffer.memory);
  }
}
