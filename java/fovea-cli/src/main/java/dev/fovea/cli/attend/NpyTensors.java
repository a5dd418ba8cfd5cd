package dev.fovea.cli.attend;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.files.Reason;
import dev.fovea.cli.memory.MemoryNeed;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** Tensors from .npy files and back. */
final class NpyTensors {

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  private final Scope scope;
  private final Arena mappings;
  private final MemoryNeed memory;

  /**
   * A reader.
   *
   * @param scope owns tensors that are copies, and says for which device
   * @param mappings owns files that are read in place
   * @param memory is told of copies
   */
  NpyTensors(Scope scope, Arena mappings, MemoryNeed memory) {
    this.scope = scope;
    this.mappings = mappings;
    this.memory = memory;
  }

  /**
   * Reads a floating tensor. A file that already has the type is used in place, without a copy.
   *
   * @param option that names the file, for the text of a refusal
   * @param dtype type that --dtype asks for; null: that of the file, float32 for float64
   * @throws IllegalArgumentException if a finite value is infinite in that type
   */
  Tensor floats(String option, Path file, DType dtype) throws IOException {
    return floats(option, file, dtype, dtype != null);
  }

  /** As {@link #floats}, of what is always of float32. */
  Tensor float32s(String option, Path file) throws IOException {
    return floats(option, file, DType.FLOAT32, false);
  }

  private Tensor floats(String option, Path file, DType dtype, boolean asked) throws IOException {
    String name = option + " " + file;
    Npy array = read(name, file);
    DType stored =
        switch (array.type()) {
          case FLOAT32 -> DType.FLOAT32;
          case FLOAT16 -> DType.FLOAT16;
          case BFLOAT16 -> DType.BFLOAT16;
          case FLOAT64 -> null;
          case INT32, INT64, BOOL ->
              throw new IllegalArgumentException(
                  "%s has elements of type %s, expected a floating type"
                      .formatted(name, array.type().descriptor()));
        };
    DType wanted = dtype != null ? dtype : stored != null ? stored : DType.FLOAT32;
    Overflow.refuse(name, array, wanted, asked);
    boolean inPlace = wanted == stored && scope.device() == Device.cpu();
    if (inPlace) {
      return Tensor.of(array.data(), stored, array.shape());
    }
    memory.add(name, wanted, array.shape());
    if (stored != null) {
      Tensor mapped = Tensor.of(array.data(), stored, array.shape());
      return scope.allocate(wanted, array.shape()).copyFrom(mapped);
    }
    try (Scope host = Scope.open()) {
      memory.add(name, DType.FLOAT32, array.shape());
      return scope.allocate(wanted, array.shape()).copyFrom(narrowed(array, host));
    }
  }

  private Npy read(String name, Path file) throws IOException {
    try {
      return Npy.read(file, mappings);
    } catch (IOException e) {
      throw new IOException(name + ": " + Reason.of(e), e);
    }
  }

  private static Tensor narrowed(Npy array, Scope host) {
    Tensor values = host.allocate(DType.FLOAT32, array.shape());
    MemorySegment to = values.segment();
    for (long i = 0; i < array.elements(); i++) {
      to.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) array.value(i));
    }
    return values;
  }

  /**
   * Reads whole numbers of one dimension, from int32 or int64.
   *
   * @param option that names the file, for the text of a refusal
   */
  int[] integers(String option, Path file) throws IOException {
    String name = option + " " + file;
    Npy array = read(name, file);
    int[] values = integers(name, array);
    if (array.shape().length != 1) {
      throw new IllegalArgumentException(
          "%s has shape %s, expected one dimension"
              .formatted(name, Arrays.toString(array.shape())));
    }
    return values;
  }

  /** Reads a tensor of whole numbers, as {@link #integers(String, Path)}. */
  Tensor int32s(String option, Path file) throws IOException {
    String name = option + " " + file;
    Npy array = read(name, file);
    return scope.copyOf(integers(name, array), array.shape());
  }

  private static int[] integers(String name, Npy array) {
    if (array.type() != NpyType.INT32 && array.type() != NpyType.INT64) {
      throw new IllegalArgumentException(
          "%s has elements of type %s, expected %s or %s"
              .formatted(
                  name,
                  array.type().descriptor(),
                  NpyType.INT32.descriptor(),
                  NpyType.INT64.descriptor()));
    }
    if (array.elements() > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "%s has %d elements, expected at most %d"
              .formatted(name, array.elements(), Integer.MAX_VALUE - 8));
    }
    int[] values = new int[(int) array.elements()];
    for (int i = 0; i < values.length; i++) {
      long value =
          array.type() == NpyType.INT32
              ? array.data().getAtIndex(INT, i)
              : array.data().getAtIndex(LONG, i);
      if (value != (int) value) {
        throw new IllegalArgumentException(
            "element %d of %s is %d, which is no int32".formatted(i, name, value));
      }
      values[i] = (int) value;
    }
    return values;
  }

  /**
   * Reads a mask; on the host in place.
   *
   * @param option that names the file, for the text of a refusal
   */
  Tensor bools(String option, Path file) throws IOException {
    String name = option + " " + file;
    Npy array = read(name, file);
    if (array.type() != NpyType.BOOL) {
      throw new IllegalArgumentException(
          "%s has elements of type %s, expected %s"
              .formatted(name, array.type().descriptor(), NpyType.BOOL.descriptor()));
    }
    Tensor mapped = Tensor.of(array.data(), DType.BOOL, array.shape());
    if (scope.device() == Device.cpu()) {
      return mapped;
    }
    memory.add(name, DType.BOOL, array.shape());
    return scope.allocate(DType.BOOL, array.shape()).copyFrom(mapped);
  }

  /** A tensor of whole numbers. */
  Tensor ints(int[] values) {
    return scope.allocate(DType.INT32, values.length).copyFrom(values);
  }

  /**
   * A dense tensor as it is written; bfloat16, which NumPy lacks, as float32.
   *
   * @param host owns the copy where one is needed
   */
  static Npy array(Tensor tensor, Scope host) {
    DType stored = tensor.dtype() == DType.BFLOAT16 ? DType.FLOAT32 : tensor.dtype();
    NpyType type = NpyType.valueOf(stored.name());
    boolean inPlace = tensor.dtype() == stored && tensor.device() == Device.cpu();
    Tensor data = inPlace ? tensor : host.allocate(stored, tensor.shape()).copyFrom(tensor);
    return new Npy(type, tensor.shape(), data.segment());
  }

  /** "[2, 8, 64]" */
  static String text(Tensor tensor) {
    return Arrays.toString(tensor.shape());
  }

  /** "float16" */
  static String text(DType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }
}
