package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What the declaration of an operation says of a case that has its operands by name: dimensions of
 * tensors, the block of fovea.h, and the order of a {@link CaseFile}. Dimensions of a {@link
 * Layout} are those of the operand from the outermost, but the last, which is the dense one.
 */
@SuppressWarnings("exports") // for the operations in this module
public final class OperandTable {

  private static final int DENSE = 3;

  private final NativeOperation operation;
  private final int pass;
  private final Geometry geometry;
  private final Map<String, Layout> layouts;

  /**
   * The operands of a case.
   *
   * @param pass of {@link dev.fovea.ffi.Abi}
   * @param layouts of the tensors that it has
   */
  public OperandTable(
      NativeOperation operation, int pass, Geometry geometry, Map<String, Layout> layouts) {
    this.operation = operation;
    this.pass = pass;
    this.geometry = geometry;
    this.layouts = layouts;
  }

  /** The operand of that name. */
  public Operand operand(String name) {
    return operation.operands(pass).stream()
        .filter(operand -> operand.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(operation + " has no operand " + name));
  }

  /** The dimensions of its layout that the tensor of an operand has: packed ones have no batch. */
  public int[] dims(String name) {
    Operand operand = operand(name);
    int rank = operand.dims().size();
    boolean packed = geometry.packed() && operand.dims().stream().anyMatch(Operand.Dim::isPacked);
    int first = packed ? 1 : 0;
    int[] dims = new int[rank - first];
    for (int i = first; i < rank; i++) {
      dims[i - first] = i == rank - 1 ? DENSE : i;
    }
    return dims;
  }

  /** The block of fovea.h: sizes, strides, what is there, and what {@code numbers} sets. */
  public byte[] spec(Consumer<MemorySegment> numbers) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = operation.allocateSpec(arena);
      operation.pass().set(spec, pass);
      for (Operand.Size size : operation.sizes()) {
        size.rows().set(spec, rows(size));
        if (size.total() != null) {
          size.total().set(spec, total(size));
        }
      }
      for (Operand operand : operation.operands(pass)) {
        if (operand.present() != null) {
          operand.present().set(spec, isPresent(operand) ? 1 : 0);
        }
        strides(spec, operand);
      }
      numbers.accept(spec);
      return spec.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> geometry.batch();
      case "query_length" -> geometry.queryLength();
      case "key_length" -> geometry.keyLength();
      case "query_heads" -> geometry.queryHeads();
      case "key_heads" -> geometry.keyHeads();
      case "head_dim" -> geometry.headDim();
      case "value_head_dim" -> geometry.valueHeadDim();
      default -> throw new IllegalArgumentException("a geometry has no " + size.name());
    };
  }

  private long total(Operand.Size size) {
    if (!geometry.packed()) {
      return 0;
    }
    return isOfQueries(size) ? geometry.queryRows() : geometry.keyRows();
  }

  private static boolean isOfQueries(Operand.Size size) {
    return size.name().equals("query_length");
  }

  private boolean isPresent(Operand operand) {
    return operand.counts() == null
        ? layouts.containsKey(operand.name())
        : lengths(operand) != null;
  }

  /** Lengths or offsets; null where the case has none. */
  private int[] lengths(Operand operand) {
    boolean queries = isOfQueries(operand.counts());
    if (operand.type() == Operand.Type.OFFSETS) {
      return !geometry.packed() ? null : queries ? geometry.cuQ() : geometry.cuK();
    }
    if (queries) {
      return geometry.packed() ? null : geometry.queryLengths();
    }
    return geometry.hasKeyLengths() ? geometry.keyLengths() : null;
  }

  private void strides(MemorySegment spec, Operand operand) {
    Layout layout = layouts.get(operand.name());
    Field.Int64Array field = operand.strides();
    for (int i = 0; layout != null && field != null && i < field.length(); i++) {
      field.set(spec, i, layout.stride()[i]);
    }
  }

  /**
   * Writes the operands of a case.
   *
   * @param inputs elements of a tensor that is read, or what one that is written holds before, by
   *     name; null where that is nothing
   * @param expected what is expected of a tensor that is written, by name
   * @param type of the elements of an operand
   */
  public void write(
      CaseFile file,
      Function<String, float[]> inputs,
      Map<String, Expected> expected,
      Function<Operand, DType> type)
      throws IOException {
    for (Operand operand : operation.operands(pass)) {
      String name = operand.name();
      if (operand.counts() != null) {
        file.ints(lengths(operand));
      } else if (operand.written()) {
        file.output(layouts.get(name), expected.get(name), inputs.apply(name));
      } else {
        boolean there = layouts.containsKey(name);
        file.operand(layouts.get(name), type.apply(operand), there ? inputs.apply(name) : null);
      }
    }
  }
}
