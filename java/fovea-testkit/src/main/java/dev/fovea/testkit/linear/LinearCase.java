package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.ffi.NativeLinear;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * One call of linear attention, or the backward pass of one, described completely: everything else
 * (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link
 * CaseGenerator} make them.
 *
 * @param geometry sizes
 * @param options what is computed
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param types of operands that have one of their own, by name
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record LinearCase(
    Geometry geometry,
    Options options,
    Map<String, Layout> layouts,
    Map<String, DType> types,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere, decays to about a half. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** Every value of an operand the same: roundings lean one way. */
    CONSTANT,
    /** Values of 1e-6 times N(0,1) in value: subnormal in float16. */
    TINY,
    /** Decays near 1, so that states hold all that came before. */
    SLOW,
    /** Some decays of exp(-10,000): what came before is gone. */
    RESETS,
    /** A NaN in one key: stays in its head. */
    NAN_IN_KEY,
    /** A NaN in one element of value: likewise. */
    NAN_IN_VALUE,
    /** A NaN in one query: likewise. */
    NAN_IN_QUERY
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeLinear.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return geometry;
  }

  @Override
  public DType dtype() {
    return options.dtype();
  }

  @Override
  public DType outDType() {
    return options.outDType();
  }

  @Override
  public DType ownType(String operand) {
    return types.get(operand);
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    return geometry.covered(keysPerRow(), tileQueries, tileKeys);
  }

  /** Tokens that lie between the first and the last that a query reads. */
  private int keysPerRow() {
    int most = 0;
    for (int b = 0; b < geometry.batch(); b++) {
      most = Math.max(most, geometry.lenQ(b) == 0 ? 0 : geometry.lenK(b));
    }
    return most;
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

  /** What must stand in the outputs, by name. */
  Map<String, Expected> expected(Operands data) {
    return isBackward() ? BackwardOracle.run(this, data) : Oracle.run(this, data);
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return LinearBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    NativeOperation operation = operation();
    types.forEach((name, type) -> operation.int32(name + "_dtype").set(spec, CaseFile.dtype(type)));
    operation.int32("causal").set(spec, options.causal() ? 1 : 0);
    operation.int32("normalised").set(spec, options.normalised() ? 1 : 0);
    operation.int32("feature_map").set(spec, options.featureMap().ordinal());
    if (options.scale() != null) {
      operation.int32("has_scale").set(spec, 1);
      operation.float32("scale").set(spec, options.scale());
    }
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "linear %s %s %s guard=%s par=%d %s| %s"
        .formatted(
            geometry,
            options,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
