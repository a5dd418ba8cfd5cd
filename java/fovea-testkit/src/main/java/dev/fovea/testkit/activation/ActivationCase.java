package dev.fovea.testkit.activation;

import dev.fovea.Activation.Function;
import dev.fovea.DType;
import dev.fovea.ffi.FoveaActivationSpec;
import dev.fovea.ffi.NativeActivation;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One activation, or the backward pass of one, described completely: everything else (operands,
 * expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make
 * them.
 *
 * @param sizes of its tensors
 * @param dtype of x, gate and residual
 * @param outDType of out
 * @param function of z
 * @param dropout probability of dropping
 * @param seed key of the dropout's random numbers
 * @param offset last word of their counter
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record ActivationCase(
    ActivationSizes sizes,
    DType dtype,
    DType outDType,
    Function function,
    float dropout,
    long seed,
    int offset,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere, x twice that. */
    NORMAL,
    /** The same with one in a thousand values ten times as large. */
    OUTLIERS,
    /** x of every size that a function is not its limit at, and beyond. */
    SPREAD,
    /** Every value of an operand the same: roundings of a sum lean one way. */
    CONSTANT,
    /** x and dout of 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** x subnormal in its type, and zeros. */
    SUBNORMAL,
    /** The largest finite number in one element of x, of either sign. */
    LARGEST_IN_X,
    /** An infinity in one element of x, of either sign. */
    INFINITY_IN_X,
    /** A NaN in one element of x. */
    NAN_IN_X,
    /** An infinity in one element of gate, if there is one, else of bias, of either sign. */
    INFINITY_BESIDE,
    /** A NaN in one element of gate, residual or bias. */
    NAN_BESIDE,
    /** An infinity or a NaN in one element of dout. */
    NAN_IN_DOUT
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeActivation.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** Whether a pass takes f' of anything. */
  boolean needsSlope() {
    return has("dx") || has("dbias");
  }

  /** Whether a pass takes f of anything. */
  boolean needsValue() {
    return !isBackward() || has("dgate");
  }

  /** Whether a pass reads an operand that the case has: what it does not may be anything. */
  boolean reads(String operand) {
    boolean z = needsValue() || needsSlope() && function != Function.IDENTITY;
    return has(operand)
        && switch (operand) {
          case "x", "bias" -> z;
          case "gate" -> !isBackward() || needsSlope();
          case "residual" -> !isBackward();
          default -> true;
        };
  }

  /** Where row {@code s} of a sequence begins in an operand. */
  int at(String operand, int b, int s) {
    return layout(operand).at(new long[] {b, s});
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("B", sizes.batch());
    all.put("S", sizes.length());
    all.put("D", sizes.width());
    return all;
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data));
  }

  /** What must stand in the outputs, by name: the same on every device. */
  Map<String, Expected> expected(Operands data) {
    return Oracle.run(this, data);
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return ActivationBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaActivationSpec.FUNCTION.set(spec, function.ordinal());
    FoveaActivationSpec.DROPOUT.set(spec, dropout);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "activation %s %s %s->%s %s%s guard=%s par=%d %s| %s"
        .formatted(
            function,
            sizes,
            dtype,
            outDType,
            dropout == 0 ? "" : "dropout=%s/%d/%d ".formatted(dropout, seed, offset),
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
