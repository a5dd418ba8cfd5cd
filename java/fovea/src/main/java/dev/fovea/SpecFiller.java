package dev.fovea;

import dev.fovea.PassOperands.Bound;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Axis;
import dev.fovea.ffi.Operand.Size;
import java.lang.foreign.MemorySegment;
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
  private final Bound offsets; // null: sequences are not packed
  private final DType dtype;
  private final DType outDType;
  private final Operand.Pages pages; // null: no rows lie in pages
  private DType cacheDType; // null: no cache has been seen yet
  private DType gradientDType; // null: no gradient has been seen yet
  private final Map<String, Long> sizes = new HashMap<>(); // by symbol; missing: not seen yet

  private SpecFiller(PassOperands operands, DType outDType, MemorySegment spec) {
    this.operands = operands;
    this.operation = operands.operation();
    this.spec = spec;
    this.offsets = operands.offsets();
    this.pages = operands.pages();
    this.dtype = operands.first().tensor().dtype();
    this.outDType = outDType != null ? outDType : dtype;
    sizes.put(Axis.ONE.symbol(), 1L);
  }

  /**
   * Into a zeroed block.
   *
   * @throws IllegalArgumentException if operands do not fit together
   */
  static void fill(PassOperands operands, OperationSpec options, MemorySegment spec) {
    new SpecFiller(operands, options.outDType(), spec).fill();
  }

  private void fill() {
    operation.pass().set(spec, operands.pass());
    if (offsets != null) {
      putPackedSizes();
    }
    if (pages != null) {
      sizes.put(pages.of().symbol(), operands.longest(pages.of()));
    }
    for (Bound it : operands.all()) {
      if (it.tensor() != null) {
        fillType(it);
        fillShape(it);
      }
    }
    for (Size size : operation.sizes()) {
      size.rows().set(spec, sizes.getOrDefault(size.symbol(), 0L));
      if (size.total() != null) {
        size.total().set(spec, sizes.getOrDefault(size.totalSymbol(), 0L));
      }
    }
  }

  /** Those that no shape of rows shows. */
  private void putPackedSizes() {
    Check.shape(offsets.name(), offsets.tensor(), "[B + 1]", Check.ANY);
    if (offsets.tensor().size(0) == 0) {
      throw new IllegalArgumentException(offsets.name() + " is empty, expected [B + 1] offsets");
    }
    sizes.put(batch(), offsets.tensor().size(0) - 1);
    for (Size size : operation.sizes()) {
      if (size.total() != null) {
        sizes.put(size.symbol(), operands.longest(size));
      }
    }
  }

  private String batch() {
    return operation.sizes().getFirst().symbol();
  }

  private void fillType(Bound it) {
    String name = it.name();
    Tensor tensor = it.tensor();
    Operand operand = it.operand();
    switch (operand.type()) {
      case SPEC -> {
        Check.dtype(name, tensor, dtype);
        Check.floating(name, tensor);
        operation.dtype().set(spec, dtype.code());
      }
      case QUERY -> {
        if (dtype != DType.FLOAT8_E4M3) {
          Check.floating(name, tensor);
        } else if (operands.pass() == Abi.BACKWARD) {
          throw new UnsupportedOperationException("queries of float8_e4m3 have no backward pass");
        } else if (outDType == dtype) {
          throw new IllegalArgumentException(
              name + " is " + dtype + ", which out is not: an outDType is missing");
        }
        operation.dtype().set(spec, dtype.code());
      }
      case CACHE -> {
        cacheDType = cacheDType == null ? tensor.dtype() : cacheDType;
        Check.dtype(name, tensor, cacheDType);
        if (!cacheDType.isQuantized()) {
          Check.floating(name, tensor);
        }
        // As a shape has it, which names no type of a cache: zero is that of query.
        operation.cacheDType().set(spec, cacheDType == dtype ? 0 : cacheDType.code());
      }
      case OUT -> Check.dtype(name, tensor, outDType);
      case GRADIENT -> {
        gradientDType = gradientDType == null ? tensor.dtype() : gradientDType;
        Check.dtype(name, tensor, gradientDType);
        Check.floating(name, tensor);
        operation.gradientDType().set(spec, gradientDType.code());
      }
      case OWN -> Check.floating(name, tensor);
      case FLOAT32 -> Check.dtype(name, tensor, DType.FLOAT32);
      case INT32, OFFSETS -> Check.dtype(name, tensor, DType.INT32);
      case BOOL -> Check.dtype(name, tensor, DType.BOOL);
    }
    if (operand.present() != null) {
      operand.present().set(spec, operand.type() == Operand.Type.OWN ? tensor.dtype().code() : 1);
    }
  }

  private void fillShape(Bound it) {
    Operand operand = it.operand();
    Tensor tensor = it.tensor();
    if (operand.counts() != null) {
      long extra = operand.type() == Operand.Type.OFFSETS ? 1 : 0;
      Check.shape(it.name(), tensor, "one for each sequence", sizes.get(batch()) + extra);
      Check.innermost(it.name(), tensor);
      return;
    }
    Bound original = operands.isGradient(it) ? operands.original(it) : null;
    if (original != null) {
      Check.shape(it.name(), tensor, "that of " + original.name(), original.tensor().rawShape());
    }
    List<Axis> axes = operand.axes(offsets != null, pages);
    int missing = missing(operand, axes, tensor.rank());
    checkSizes(it, axes.subList(missing, axes.size()));
    if (operand.isContiguous()) {
      Check.innermost(it.name(), tensor);
    }
    if (operand.strides() != null) {
      fillStrides(it, axes, missing);
    }
  }

  /**
   * How many dimensions a tensor of {@code rank} lacks from the left: only such as are broadcast
   * may be missing, and two of those that are declared stay. 0 for a rank that cannot be.
   */
  private static int missing(Operand operand, List<Axis> axes, int rank) {
    int missing = axes.size() - rank;
    int least = operand.isContiguous() ? 2 : 1;
    boolean may = missing > 0 && rank >= least && axes.stream().limit(missing).allMatch(Axis::sums);
    return may ? missing : 0;
  }

  private void checkSizes(Bound it, List<Axis> axes) {
    Tensor tensor = it.tensor();
    if (it == operands.first()
        && offsets == null
        && operation.packs()
        && tensor.rank() == axes.size() - 1) {
      throw new IllegalArgumentException(
          "%s has rank %d: that is a packed batch, which needs cuSeqlens"
              .formatted(it.name(), tensor.rank()));
    }
    long[] expected =
        axes.stream().mapToLong(axis -> sizes.getOrDefault(axis.symbol(), Check.ANY)).toArray();
    int last = expected.length - 1;
    int values = tensor.dtype().packedValues();
    String layout = axes.toString();
    if (values > 1) {
      layout = layout.replace("]", " / " + values + "]");
      expected[last] = expected[last] == Check.ANY ? Check.ANY : expected[last] / values;
    }
    Check.broadcastShape(it.name(), tensor, layout, dim -> axes.get(dim).sums(), expected);
    for (int dim = 0; dim < expected.length; dim++) {
      long size = tensor.size(dim) * (dim == last ? values : 1);
      sizes.putIfAbsent(axes.get(dim).symbol(), size);
    }
  }

  private void fillStrides(Bound it, List<Axis> axes, int missing) {
    Operand operand = it.operand();
    int strided = operand.isContiguous() ? axes.size() - 1 : axes.size();
    int first = operand.strides().length() - strided; // packed sequences have no batch
    for (int i = 0; i < strided; i++) {
      long stride = i < missing ? 0 : stride(it, axes.get(i), i - missing);
      operand.strides().set(spec, first + i, stride);
    }
  }

  /**
   * What is broadcast has stride 0, and in a gradient that is a sum: which must not come from a
   * view that repeats elements, since the kernel would write some that are not there.
   */
  private static long stride(Bound it, Axis axis, int dim) {
    Tensor tensor = it.tensor();
    long stride = tensor.stride(dim);
    if (axis.sums() && tensor.size(dim) == 1) {
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
