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

  private final NativeOperation operation;
  private final int pass;
  private final CaseSizes sizes;
  private final Map<String, Layout> layouts;

  /**
   * The operands of a case.
   *
   * @param pass of {@link dev.fovea.ffi.Abi}
   * @param layouts of the tensors that it has
   */
  public OperandTable(
      NativeOperation operation, int pass, CaseSizes sizes, Map<String, Layout> layouts) {
    this.operation = operation;
    this.pass = pass;
    this.sizes = sizes;
    this.layouts = layouts;
  }

  /** The operand of that name. */
  public Operand operand(String name) {
    return operation.operand(pass, name);
  }

  /**
   * The dimensions of its layout that the tensor of an operand has: packed ones have no batch, and
   * the last is none where it is of one element beside others.
   */
  public int[] dims(String name) {
    Operand operand = operand(name);
    int rank = operand.dims().size();
    boolean packed = sizes.packed() && operand.dims().stream().anyMatch(Operand.Dim::isPacked);
    int first = packed ? 1 : 0;
    int[] dims = new int[operand.axes(packed, null).size()];
    boolean dense = first + dims.length == rank;
    for (int i = 0; i < dims.length; i++) {
      dims[i] = first + i;
    }
    if (dense) {
      dims[dims.length - 1] = layouts.get(name).size().length - 1;
    }
    return dims;
  }

  /** The block of fovea.h: sizes, strides, what is there, and what {@code numbers} sets. */
  public byte[] spec(Consumer<MemorySegment> numbers) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = operation.allocateSpec(arena);
      operation.pass().set(spec, pass);
      for (Operand.Size size : operation.sizes()) {
        size.rows().set(spec, sizes.rows(size));
        if (size.total() != null) {
          size.total().set(spec, sizes.total(size));
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

  private boolean isPresent(Operand operand) {
    return operand.counts() == null
        ? layouts.containsKey(operand.name())
        : sizes.lengths(operand) != null;
  }

  private void strides(MemorySegment spec, Operand operand) {
    Layout layout = layouts.get(operand.name());
    Field.Int64Array field = operand.strides();
    for (int i = 0; layout != null && field != null && i < field.length(); i++) {
      boolean shared = operand.dims().get(i).sums() && layout.size()[i] == 1;
      field.set(spec, i, shared ? 0 : layout.stride()[i]);
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
        file.ints(sizes.lengths(operand));
      } else if (operand.written()) {
        file.output(layouts.get(name), expected.get(name), inputs.apply(name));
      } else {
        boolean there = layouts.containsKey(name);
        file.operand(layouts.get(name), type.apply(operand), there ? inputs.apply(name) : null);
      }
    }
  }
}
