package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.ffi.NativeChannel;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeSpatial;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import dev.fovea.testkit.Sigmoid;
import java.lang.foreign.MemorySegment;
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
    implements OperationCase {

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

  @Override
  public NativeOperation operation() {
    return kind.table();
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
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
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data));
  }

  /** What must stand in the outputs, by name. */
  Map<String, Expected> expected(Operands data) {
    return switch (kind) {
      case CHANNEL -> ChannelOracle.run(this, data);
      case SPATIAL -> SpatialOracle.run(this, data);
    };
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return ImageBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {}

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
