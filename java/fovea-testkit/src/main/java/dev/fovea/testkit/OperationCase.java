package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * A case whose operands go by the names of its operation's declaration: what of it follows from
 * that.
 */
@SuppressWarnings("exports") // for the operations in this module
public interface OperationCase extends CheckedCase {

  /**
   * What is asked of a backward pass.
   *
   * @param dtype of gradients of operands that have the type of the first
   * @param deterministic the same bits on every run are asked for
   * @param accumulate gradients of what calls share are added to what is there
   */
  record Gradients(DType dtype, boolean deterministic, boolean accumulate) {}

  /**
   * The buffers of a case by the names of its operands, and what must stand in its outputs.
   *
   * @param operands what is read, and what gradients that are added to hold before
   * @param expected by the names of outputs
   */
  record Drawn(Map<String, float[]> operands, Map<String, Expected> expected) {}

  /** Its declaration. */
  NativeOperation operation();

  /** Its sizes, by the declaration. */
  CaseSizes caseSizes();

  /** Where the operands that it has lie in memory. */
  Map<String, Layout> layouts();

  /** What its backward pass gives; null for the forward pass. */
  Gradients gradients();

  /** Which end of every buffer touches forbidden memory. */
  GuardedMemory.Side guard();

  /** Workers asked for. */
  int parallelism();

  /** The type of most operands. */
  DType dtype();

  /** The type of out. */
  DType outDType();

  /** The type of a cache. */
  default DType cacheDType() {
    return dtype();
  }

  /** The type of an operand that has one of its own. */
  default DType ownType(String operand) {
    return DType.FLOAT32;
  }

  /** Sets options in the block of fovea.h: all numbers but types, sizes and what is there. */
  void fill(MemorySegment spec);

  /** What its operands are drawn from. */
  long dataSeed();

  /** Key of the dropout's random numbers. */
  default long seed() {
    return 0;
  }

  /** Last word of their counter. */
  default int offset() {
    return 0;
  }

  /**
   * Draws its operands, a pure function of the case, and computes what must come out.
   *
   * @param device that what comes out is held to, by name
   */
  Drawn draw(String device);

  /** Binds the tensors of {@code run} to the public API. */
  OperationRun.Bound bind(OperationRun run);

  /** True for the backward pass. */
  default boolean isBackward() {
    return gradients() != null;
  }

  /** The declaration, for this case. */
  default OperandTable table() {
    int pass = isBackward() ? Abi.BACKWARD : Abi.FORWARD;
    return new OperandTable(operation(), pass, caseSizes(), layouts());
  }

  /** The layout of an operand; null where the case has none. */
  default Layout layout(String operand) {
    Layout layout = layouts().get(operand);
    if (layout == null) {
      operation().requireOperand(operand);
    }
    return layout;
  }

  /** True if the case has that operand. */
  default boolean has(String operand) {
    return layout(operand) != null;
  }

  /** Index {@code i} in the first dimension of an operand, of which it may have one for all. */
  default int own(String operand, int i) {
    return layout(operand).size()[0] == 1 ? 0 : i;
  }

  /** The type of an operand's elements. */
  default DType type(Operand operand) {
    return switch (operand.type()) {
      case SPEC, QUERY -> dtype();
      case CACHE -> cacheDType();
      case OUT -> outDType();
      case GRADIENT -> gradients().dtype();
      case OWN -> ownType(operand.name());
      case FLOAT32 -> DType.FLOAT32;
      case INT32, OFFSETS -> DType.INT32;
      case BOOL -> DType.BOOL;
    };
  }

  @Override
  default Prepared prepare(Device device) {
    Drawn drawn = draw(device.name());
    return on -> {
      try (OperationRun run = new OperationRun(this, drawn.operands(), on)) {
        String wrong = run.run().compare(drawn.expected());
        return new Result(wrong, run.worst(drawn.expected()), run.outputBytes(), run.plan());
      }
    };
  }

  @Override
  default void write(CaseFile file, String device) throws IOException {
    Drawn drawn = draw(device);
    file.head(operation(), this, spec(), seed(), offset());
    table().write(file, drawn.operands()::get, drawn.expected(), this::type);
  }

  /** The block of fovea.h. */
  default byte[] spec() {
    NativeOperation operation = operation();
    return table()
        .spec(
            spec -> {
              operation.dtype().set(spec, CaseFile.dtype(dtype()));
              operation.outDType().set(spec, CaseFile.dtype(outDType()));
              if (operation.cacheDType() != null) {
                operation.cacheDType().set(spec, CaseFile.dtype(cacheDType()));
              }
              fill(spec);
              if (isBackward()) {
                operation.gradientDType().set(spec, CaseFile.dtype(gradients().dtype()));
                operation.deterministic().set(spec, gradients().deterministic() ? 1 : 0);
                operation.accumulate().set(spec, gradients().accumulate() ? 1 : 0);
              }
            });
  }
}
