package dev.fovea;

import dev.fovea.PassOperands.Bound;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads types, sizes, strides and presence off the tensors of a pass, by the declaration of its
 * operation, and checks everything that can be checked without the library.
 */
final class SpecFiller {
  private final PassOperands operands;
  private final NativeOperation operation;
  private final MemorySegment spec;
  private final boolean packed;
  private final Map<Size, Long> rows = new HashMap<>(); // where packed, of one sequence
  private final Map<Size, Long> totals = new HashMap<>();
  private final DType dtype;
  private final DType outDType;
  private DType gradientDType;

  private SpecFiller(PassOperands operands, DType outDType, MemorySegment spec) {
    this.operands = operands;
    this.operation = operands.operation();
    this.dtype = operands.all().getFirst().tensor().dtype();
    this.outDType = outDType != null ? outDType : dtype;
    this.spec = spec;
    this.packed = offsets() != null;
  }

  /** Into a zeroed block. */
  static void fill(PassOperands operands, OperationSpec options, MemorySegment spec) {
    new SpecFiller(operands, options.outDType(), spec).fill();
  }

  private Bound offsets() {
    return operands.all().stream()
        .filter(it -> it.operand().type() == Operand.Type.OFFSETS && it.tensor() != null)
        .findFirst()
        .orElse(null);
  }

  private void fill() {
    operation.pass().set(spec, operands.pass());
    if (packed) {
      Bound offsets = offsets();
      Check.shape(offsets.name(), offsets.tensor(), "[B + 1]", Check.ANY);
      if (offsets.tensor().size(0) == 0) {
        throw new IllegalArgumentException(offsets.name() + " is empty, expected [B + 1] offsets");
      }
      rows.put(operation.sizes().getFirst(), offsets.tensor().size(0) - 1);
      operation.sizes().stream()
          .filter(size -> size.total() != null)
          .forEach(size -> rows.put(size, operands.longest(size)));
    }
    for (Bound it : operands.all()) {
      if (it.tensor() != null) {
        fillType(it);
        fillShape(it);
      }
    }
    rows.forEach((size, length) -> size.rows().set(spec, length));
    totals.forEach((size, length) -> size.total().set(spec, length));
  }

  private void fillType(Bound it) {
    Tensor tensor = it.tensor();
    switch (it.operand().type()) {
      case SPEC -> {
        Check.floating(it.name(), tensor);
        Check.dtype(it.name(), tensor, dtype);
        operation.dtype().set(spec, dtype.code());
      }
      case OUT -> Check.dtype(it.name(), tensor, outDType);
      case GRADIENT -> {
        Check.floating(it.name(), tensor);
        gradientDType = gradientDType == null ? tensor.dtype() : gradientDType;
        Check.dtype(it.name(), tensor, gradientDType);
        operation.gradientDType().set(spec, gradientDType.code());
      }
      case OWN -> Check.floating(it.name(), tensor);
      case FLOAT32 -> Check.dtype(it.name(), tensor, DType.FLOAT32);
      case INT32, OFFSETS -> Check.dtype(it.name(), tensor, DType.INT32);
    }
    if (it.operand().present() != null) {
      boolean own = it.operand().type() == Operand.Type.OWN;
      it.operand().present().set(spec, own ? tensor.dtype().code() : 1);
    }
  }

  /** A dimension that a tensor may have. */
  private record Slot(String symbol, Size size, boolean total, boolean sums) {}

  private void fillShape(Bound it) {
    if (it.operand().counts() != null) {
      long sequences = rows.get(operation.sizes().getFirst());
      boolean offsets = it.operand().type() == Operand.Type.OFFSETS;
      Check.shape(it.name(), it.tensor(), "one for each sequence", sequences + (offsets ? 1 : 0));
      Check.innermost(it.name(), it.tensor());
      return;
    }
    if (operands.isGradient(it)) {
      String original = PassOperands.javaName(PassOperands.original(it.operand().name()));
      long[] shape = operands.original(it).rawShape();
      Check.shape(it.name(), it.tensor(), "that of " + original, shape);
    }
    List<Slot> slots = slots(it.operand());
    int missing = slots.size() - it.tensor().rank();
    if (missing == 1 && !packed && it == operands.all().getFirst() && operation.packs()) {
      throw new IllegalArgumentException(
          it.name() + " has rank 3: that is a packed batch, which needs cuSeqlens");
    }
    checkSizes(it, slots, mayMiss(it.operand(), slots, missing) ? missing : 0);
    fillStrides(it, slots);
  }

  /** The dimensions but one that is always of one element, and that of the batch where packed. */
  private List<Slot> slots(Operand operand) {
    List<Slot> slots = new ArrayList<>();
    boolean ends = packed && operand.dims().stream().anyMatch(Dim::isPacked);
    boolean totalIsNext = ends;
    for (Dim dim : operand.dims()) {
      if (dim.size() == null || (ends && dim == operand.dims().getFirst())) {
        continue;
      }
      boolean total = totalIsNext && dim.isPacked();
      totalIsNext &= !total;
      // The rows of all sequences together are those of none: there is nothing to broadcast.
      boolean sums = dim.sums() && !total;
      String symbol =
          total ? dim.size().totalSymbol() : (packed && dim.isPacked() ? "longest " : "") + dim.size().symbol();
      slots.add(new Slot(symbol, dim.size(), total, sums));
    }
    return slots;
  }

  /** From the left, where it is broadcast, down to two dimensions as they are declared. */
  private static boolean mayMiss(Operand operand, List<Slot> slots, int missing) {
    int always = operand.dims().getLast().size() == null ? 1 : 2;
    return missing > 0
        && slots.size() - missing >= always
        && slots.stream().limit(missing).allMatch(Slot::sums);
  }

  private void checkSizes(Bound it, List<Slot> slots, int missing) {
    Tensor tensor = it.tensor();
    List<Slot> there = slots.subList(missing, slots.size());
    long[] expected =
        there.stream().mapToLong(slot -> lengths(slot).getOrDefault(slot.size, Check.ANY)).toArray();
    boolean fits = tensor.rank() == expected.length;
    for (int dim = 0; fits && dim < expected.length; dim++) {
      long size = tensor.size(dim);
      fits =
          expected[dim] == Check.ANY
              || size == expected[dim]
              || (there.get(dim).sums && size == 1);
    }
    if (!fits) {
      List<String> layout =
          there.stream().map(slot -> slot.symbol + (slot.sums ? " or 1" : "")).toList();
      throw new IllegalArgumentException(
          "%s has shape %s, expected %s = %s"
              .formatted(
                  it.name(),
                  Arrays.toString(tensor.rawShape()),
                  layout,
                  Arrays.toString(expected).replace("-1", "any")));
    }
    for (int dim = 0; dim < expected.length; dim++) {
      lengths(there.get(dim)).putIfAbsent(there.get(dim).size, tensor.size(dim));
    }
  }

  private Map<Size, Long> lengths(Slot slot) {
    return slot.total ? totals : rows;
  }

  private void fillStrides(Bound it, List<Slot> slots) {
    Operand operand = it.operand();
    Tensor tensor = it.tensor();
    if (operand.dims().getLast().size() != null) {
      Check.innermost(it.name(), tensor);
    }
    if (operand.strides() == null) {
      return;
    }
    int strides = operand.dims().size() - 1;
    int dropped = operand.dims().size() - slots.size() - (operand.dims().getLast().size() == null ? 1 : 0);
    int missing = slots.size() - tensor.rank();
    for (int i = dropped; i < strides; i++) {
      int dim = i - dropped - missing;
      Slot slot = slots.get(i - dropped);
      operand.strides().set(spec, i, dim < 0 ? 0 : stride(it, slot, dim));
    }
  }

  /**
   * What is broadcast has stride 0, and in a gradient that is a sum: which must not come from a view
   * that repeats elements, since the kernel would write some that are not there.
   */
  private static long stride(Bound it, Slot slot, int dim) {
    Tensor tensor = it.tensor();
    long stride = tensor.stride(dim);
    if (slot.sums && tensor.size(dim) == 1) {
      return 0;
    }
    if (!it.operand().written() || !it.operand().sums()) {
      return stride;
    }
    if (tensor.size(dim) > 1 && stride == 0 && tensor.elements() > 0) {
      throw new IllegalArgumentException(
          "%s has stride 0 in dimension %d of size %d, expected distinct elements"
              .formatted(it.name(), dim, tensor.size(dim)));
    }
    return Math.max(1, stride);
  }
}
