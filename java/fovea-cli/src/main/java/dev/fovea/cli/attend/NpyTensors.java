package dev.fovea.cli.attend;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;

/** Tensors from .npy files and back. */
final class NpyTensors {

  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  private final Scope scope;
  private final Arena mappings;

  /**
   * A reader.
   *
   * @param scope owns tensors that are copies, and says for which device
   * @param mappings owns files that are read in place
   */
  NpyTensors(Scope scope, Arena mappings) {
    this.scope = scope;
    this.mappings = mappings;
  }

  /**
   * Reads a floating tensor. A file that already has the type is used in place, without a copy.
   *
   * @param name of the operand, for the text of a refusal
   * @param dtype wanted type; null: that of the file, float32 for float64
   */
  Tensor floats(String name, Path file, DType dtype) throws IOException {
    Npy array = Npy.read(file, mappings);
    DType stored =
        switch (array.type()) {
          case FLOAT32 -> DType.FLOAT32;
          case FLOAT16 -> DType.FLOAT16;
          case BFLOAT16 -> DType.BFLOAT16;
          case FLOAT64 -> null;
          case INT32, INT64 ->
              throw new IllegalArgumentException(
                  "%s: %s has elements of type %s, expected a floating type"
                      .formatted(name, file, array.type().descriptor()));
        };
    DType wanted = dtype != null ? dtype : stored != null ? stored : DType.FLOAT32;
    if (stored == null) {
      return scope.allocate(wanted, array.shape()).copyFrom(narrowed(array));
    }
    Tensor mapped = Tensor.of(array.data(), stored, array.shape());
    boolean inPlace = wanted == stored && scope.device() == Device.cpu();
    return inPlace ? mapped : scope.allocate(wanted, array.shape()).copyFrom(mapped);
  }

  private static float[] narrowed(Npy array) {
    float[] values = new float[Math.toIntExact(array.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) array.data().getAtIndex(DOUBLE, i);
    }
    return values;
  }

  /** Reads a tensor of lengths, from int32 or int64. */
  Tensor lengths(String name, Path file) throws IOException {
    Npy array = Npy.read(file, mappings);
    int[] values = new int[Math.toIntExact(array.elements())];
    switch (array.type()) {
      case INT32 ->
          MemorySegment.copy(
              array.data(), ValueLayout.JAVA_INT_UNALIGNED, 0, values, 0, values.length);
      case INT64 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = Math.toIntExact(array.data().getAtIndex(LONG, i));
        }
      }
      default ->
          throw new IllegalArgumentException(
              "%s: %s has elements of type %s, expected <i4 or <i8"
                  .formatted(name, file, array.type().descriptor()));
    }
    return scope.allocate(DType.INT32, array.shape()).copyFrom(values);
  }

  /** Writes a dense tensor; bfloat16, which NumPy lacks, as float32. */
  static void write(Tensor tensor, Path file) throws IOException {
    NpyType type = tensor.dtype() == DType.FLOAT16 ? NpyType.FLOAT16 : NpyType.FLOAT32;
    DType stored = type == NpyType.FLOAT16 ? DType.FLOAT16 : DType.FLOAT32;
    try (Scope host = Scope.open()) {
      boolean inPlace = tensor.dtype() == stored && tensor.device() == Device.cpu();
      Tensor data = inPlace ? tensor : host.allocate(stored, tensor.shape()).copyFrom(tensor);
      new Npy(type, tensor.shape(), data.segment()).write(file);
    }
  }

  /** "[2, 8, 64]" */
  static String text(Tensor tensor) {
    return Arrays.toString(tensor.shape());
  }
}
