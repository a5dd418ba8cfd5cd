package dev.fovea.testkit.additive;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeAdditive;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperandTable;
import java.io.IOException;
import java.util.Map;

/**
 * One call of additive attention, or the backward pass of one, described completely: everything
 * else (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link
 * CaseGenerator} make them.
 *
 * @param geometry sizes; D is A
 * @param options what is computed
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record AdditiveCase(
    Geometry geometry,
    Options options,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements CheckedCase {

  /**
   * What is asked of a backward pass.
   *
   * @param dtype of dquery, dkey and dvalue
   * @param deterministic the same bits on every run are asked for
   * @param accumulate all but dquery are added to what is there
   */
  public record Gradients(DType dtype, boolean deterministic, boolean accumulate) {}

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** Queries and keys 40 times as large: most of tanh is 1 or -1, some where both cancel. */
    SATURATED,
    /**
     * N(0,1), but for one column in which some queries and keys lie 30 to 60 to either side: what a
     * kernel decides for a tile, a row or a key because of the largest there, it must not decide by
     * others.
     */
    FAR,
    /** Query, key and bias 1e-3 times as large, where tanh is its argument. */
    SMALL,
    /** Weight 8 times as large: nearly one-hot rows. */
    HEAVY,
    /** Every value of an operand the same: uniform weights. */
    CONSTANT,
    /** Values of 1e-6 times N(0,1) in value: subnormal in float16. */
    TINY,
    /** A NaN in one key: reaches every row that sees it; other rows of its head are free. */
    NAN_IN_KEY,
    /** A NaN in one element of value. */
    NAN_IN_VALUE,
    /** A NaN in one query row: stays in its row. */
    NAN_IN_QUERY,
    /** A NaN in the weight of one head: stays in its rows. */
    NAN_IN_WEIGHT
  }

  /** True for the backward pass. */
  public boolean isBackward() {
    return gradients != null;
  }

  /** The declaration, for this case. */
  OperandTable table() {
    int pass = isBackward() ? Abi.BACKWARD : Abi.FORWARD;
    return new OperandTable(NativeAdditive.OPERATION, pass, geometry, layouts);
  }

  /** The layout of an operand; null where the case has none. */
  public Layout layout(String operand) {
    return layouts.get(NativeAdditive.OPERATION.requireOperand(operand));
  }

  /** True if the case has that operand. */
  public boolean has(String operand) {
    return layout(operand) != null;
  }

  /** The type of an operand's elements. */
  DType type(Operand operand) {
    return switch (operand.type()) {
      case SPEC -> options.dtype();
      case OUT -> options.outDType();
      case GRADIENT -> gradients.dtype();
      case FLOAT32, OWN -> DType.FLOAT32;
      case INT32, OFFSETS -> DType.INT32;
    };
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    return geometry.covered(options.visibility().keysPerRow(geometry), tileQueries, tileKeys);
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Result check(Device device) {
    Operands data = Operands.of(this);
    Map<String, Expected> expected = expected(data);
    try (AdditiveRun run = new AdditiveRun(this, data, device)) {
      String wrong = run.run().compare(expected);
      return new Result(wrong, run.worst(expected), run.outputBytes(), run.plan());
    }
  }

  /** What must stand in the outputs, by name. */
  Map<String, Expected> expected(Operands data) {
    return isBackward() ? BackwardOracle.run(this, data) : Oracle.run(this, data);
  }

  @Override
  public void write(CaseFile file, String device) throws IOException {
    Operands data = Operands.of(this);
    NativeOperation operation = NativeAdditive.OPERATION;
    file.head(operation, this, spec(), options.seed(), options.offset());
    table().write(file, data::get, expected(data), this::type);
  }

  /** The block of fovea.h. */
  byte[] spec() {
    NativeOperation operation = NativeAdditive.OPERATION;
    return table()
        .spec(
            spec -> {
              operation.dtype().set(spec, CaseFile.dtype(options.dtype()));
              operation.outDType().set(spec, CaseFile.dtype(options.outDType()));
              options.visibility().fill(operation, spec);
              operation.float32("dropout").set(spec, options.dropout());
              if (isBackward()) {
                operation.gradientDType().set(spec, CaseFile.dtype(gradients.dtype));
                operation.deterministic().set(spec, gradients.deterministic ? 1 : 0);
                operation.accumulate().set(spec, gradients.accumulate ? 1 : 0);
              }
            });
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "additive %s %s %s guard=%s par=%d %s| %s"
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
