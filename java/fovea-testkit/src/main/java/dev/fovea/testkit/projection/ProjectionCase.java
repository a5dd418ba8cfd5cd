package dev.fovea.testkit.projection;

import dev.fovea.DType;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeProjection;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import dev.fovea.testkit.attention.Precision;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One projection of sequences, or the backward pass of one, described completely: everything else
 * (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link
 * CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of x and weight
 * @param outDType of out
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record ProjectionCase(
    ProjectionSizes sizes,
    DType dtype,
    DType outDType,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of values. Weights are such that out is about as large as x. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** Every value of an operand the same: roundings lean one way. */
    CONSTANT,
    /** x of 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** The largest finite number in one element of x, of either sign. */
    LARGEST_IN_X,
    /** An infinity in one element of x, of either sign. */
    INFINITY_IN_X,
    /** A NaN in one element of x: reaches a column of out, and of dweight. */
    NAN_IN_X,
    /** A NaN in one element of weight: reaches a row of out, and of dx. */
    NAN_IN_WEIGHT,
    /** A NaN in one element of dout: reaches a column of dx, and a row of dweight; no padding. */
    NAN_IN_DOUT
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeProjection.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("B", sizes.batch());
    all.put("S", sizes.length());
    all.put("R", sizes.rank());
    all.put("D", sizes.headDim());
    if (tileQueries > 0) {
      all.put("row tiles", (sizes.rank() + tileQueries - 1) / tileQueries);
    }
    if (tileKeys > 0) {
      all.put("position tiles", (sizes.longest() + tileKeys - 1) / tileKeys);
    }
    return all;
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data, Precision.of(device)));
  }

  /** What must stand in the outputs, by name. */
  Map<String, Expected> expected(Operands data, Precision precision) {
    return Oracle.run(this, data, precision);
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return ProjectionBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {}

  /** One line for people. */
  @Override
  public String toString() {
    return "projection %s %s->%s %s guard=%s par=%d %s| %s"
        .formatted(
            sizes,
            dtype,
            outDType,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
