package dev.fovea.testkit.norm;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaNormSpec;
import dev.fovea.ffi.NativeNorm;
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
 * One normalization, or the backward pass of one, described completely: everything else (operands,
 * expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make
 * them.
 *
 * @param sizes of its tensors
 * @param dtype of x
 * @param outDType of out
 * @param centered whether the mean is subtracted
 * @param epsilon added to the mean of squares
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param accumulatesDx whether that adds to dx
 * @param repeat the command that repeats the case
 */
public record NormCase(
    NormSizes sizes,
    DType dtype,
    DType outDType,
    boolean centered,
    float epsilon,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    boolean accumulatesDx,
    String repeat)
    implements OperationCase {

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** N(0,1) far from 0, by up to what leaves a row one digit in its type. */
    OFFSET,
    /** The first eight elements of a row far from the others. */
    FIRST_FAR,
    /** Rows of equal elements, each another one. */
    CONSTANT,
    /** 1e-6 times N(0,1): subnormal in float16, of squares below most epsilons. */
    TINY,
    /** The largest finite number in one element of x, of either sign. */
    LARGEST,
    /** An infinity in one element of x, of either sign. */
    INFINITY,
    /** A NaN in one element of x: reaches its row, and gradients of weights. */
    NAN,
    /** A NaN in one element of weight or bias: reaches a column. */
    NAN_IN_WEIGHT,
    /** A NaN in one element of dout: reaches a row of dx, and a column of gradients of weights. */
    NAN_IN_DOUT
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeNorm.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** Where the row of a head begins in weight, bias or a gradient of one. */
  int headAt(String operand, int head) {
    return layout(operand).at(new long[] {own(operand, head)});
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("B", sizes.batch());
    all.put("S", sizes.length());
    all.put("H", sizes.heads());
    all.put("D", sizes.width());
    all.put("rows", sizes.batch() * sizes.length() * sizes.heads());
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
    return NormBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaNormSpec.CENTERED.set(spec, centered ? 1 : 0);
    FoveaNormSpec.EPSILON.set(spec, epsilon);
    FoveaNormSpec.ACCUMULATE_DX.set(spec, accumulatesDx ? 1 : 0);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "norm %s %s->%s %s epsilon=%s %s guard=%s par=%d %s%s| %s"
        .formatted(
            sizes,
            dtype,
            outDType,
            centered ? "layer" : "rms",
            epsilon,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            accumulatesDx ? "accumulates dx " : "",
            layouts);
  }
}
