package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeChannel;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeSpatial;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperandTable;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One call of an operation over images, or the backward pass of one, described completely:
 * everything else (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and
 * {@link CaseGenerator} make them.
 *
 * @param kind which operation
 * @param sizes of its tensors
 * @param dtype of x
 * @param outDType of out
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
@SuppressWarnings("exports") // for the operations in this module
public record ImageCase(
    Kind kind,
    ImageSizes sizes,
    DType dtype,
    DType outDType,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements CheckedCase {

  /** An operation. */
  public enum Kind {
    /** Squeeze and excitation. */
    CHANNEL(NativeChannel.OPERATION),
    /** That of CBAM over positions. */
    SPATIAL(NativeSpatial.OPERATION);

    private final NativeOperation table;

    Kind(NativeOperation table) {
      this.table = table;
    }

    NativeOperation table() {
      return table;
    }
  }

  /**
   * What is asked of a backward pass.
   *
   * @param dtype of dx
   * @param deterministic the same bits on every run are asked for
   * @param accumulate all but dx are added to what is there
   */
  public record Gradients(DType dtype, boolean deterministic, boolean accumulate) {}

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** Every value of an operand the same: each channel has the maximum. */
    CONSTANT,
    /** x of few different values: the maximum is often met twice. */
    TIES,
    /** Weights 30 times as large: most gates are 0 or 1. */
    HEAVY,
    /** x of 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** A NaN in one element of x. */
    NAN_IN_X,
    /** An infinity in one element of x, of either sign. */
    INFINITY_IN_X,
    /** A NaN in one element of a weight. */
    NAN_IN_WEIGHT
  }

  /** True for the backward pass. */
  public boolean isBackward() {
    return gradients != null;
  }

  /** The declaration, for this case. */
  OperandTable table() {
    int pass = isBackward() ? Abi.BACKWARD : Abi.FORWARD;
    return new OperandTable(kind.table(), pass, sizes, layouts);
  }

  /** The layout of an operand; null where the case has none. */
  public Layout layout(String operand) {
    return layouts.get(kind.table().requireOperand(operand));
  }

  /** True if the case has that operand. */
  public boolean has(String operand) {
    return layout(operand) != null;
  }

  /** The type of an operand's elements. */
  DType type(Operand operand) {
    return switch (operand.type()) {
      case SPEC -> dtype;
      case OUT -> outDType;
      case GRADIENT -> gradients.dtype();
      case FLOAT32, OWN -> DType.FLOAT32;
      case INT32, OFFSETS -> DType.INT32;
    };
  }

  /** Relative error of a float32 sum of {@code terms} terms that were summed in any order. */
  double summation(double terms) {
    return content == Content.CONSTANT || content == Content.TIES
        ? Sigmoid.UNIT * terms
        : 2 * Sigmoid.UNIT * Math.sqrt(terms);
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("N", sizes.batch());
    all.put("C", sizes.channels());
    all.put("pixels", sizes.pixels());
    all.put("inner", sizes.inner());
    if (tileQueries > 0) {
      all.put("items", (sizes.batch() + tileQueries - 1) / tileQueries);
    }
    if (tileKeys > 0) {
      all.put("parts", (sizes.pixels() + tileKeys - 1) / tileKeys);
    }
    return all;
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Result check(Device device) {
    Operands data = Operands.of(this);
    Map<String, Expected> expected = expected(data);
    try (ImageRun run = new ImageRun(this, data, device)) {
      String wrong = run.run().compare(expected);
      return new Result(wrong, run.worst(expected), run.outputBytes(), run.plan());
    }
  }

  /** What must stand in the outputs, by name. */
  Map<String, Expected> expected(Operands data) {
    return switch (kind) {
      case CHANNEL -> ChannelOracle.run(this, data);
      case SPATIAL -> SpatialOracle.run(this, data);
    };
  }

  @Override
  public void write(CaseFile file, String device) throws IOException {
    Operands data = Operands.of(this);
    file.head(kind.table(), this, spec(), 0, 0);
    table().write(file, data::get, expected(data), this::type);
  }

  /** The block of fovea.h. */
  byte[] spec() {
    NativeOperation operation = kind.table();
    return table()
        .spec(
            spec -> {
              operation.dtype().set(spec, CaseFile.dtype(dtype));
              operation.outDType().set(spec, CaseFile.dtype(outDType));
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
    return "%s %s %s->%s %s guard=%s par=%d %s| %s"
        .formatted(
            kind.table(),
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
