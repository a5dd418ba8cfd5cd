package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.ffi.NativeAdditive;
import dev.fovea.ffi.NativeDistance;
import dev.fovea.ffi.NativeOperation;
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
 * One call of an operation whose scores are of pairs of queries and keys, no product of these, or
 * the backward pass of one, described completely: everything else (operands, expected outputs)
 * follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make them.
 *
 * @param kind which operation
 * @param geometry sizes; D is A of additive attention
 * @param options what is computed
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
@SuppressWarnings("exports") // for the operations in this module
public record PairCase(
    Kind kind,
    Geometry geometry,
    Options options,
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
    /** That of Bahdanau. */
    ADDITIVE(NativeAdditive.OPERATION),
    /** By the distance of query and key. */
    DISTANCE(NativeDistance.OPERATION);

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
    /**
     * Queries and keys 40 times as large: most of tanh is 1 or -1, distances have one nearest key.
     */
    SATURATED,
    /**
     * N(0,1), but for one column in which some queries and keys lie 30 to 60 to either side: what a
     * kernel decides for a tile, a row or a key because of the largest there, it must not decide by
     * others.
     */
    FAR,
    /** Queries and keys around 500 in every column: what they have in common must cancel. */
    OFFSET,
    /**
     * Query, key and bias 1e-3 times as large, where tanh is its argument and weights are alike.
     */
    SMALL,
    /** Weight 8 times as large, bandwidth an eighth: nearly one-hot rows. */
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
    /** A NaN in the weight or the bandwidth of one head: stays in its rows. */
    NAN_IN_WEIGHT
  }

  @Override
  public NativeOperation operation() {
    return kind.table();
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
  public long seed() {
    return options.seed();
  }

  @Override
  public int offset() {
    return options.offset();
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
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data));
  }

  /** Whether it has that operand; false, too, of what only the other operation has. */
  boolean hasAny(String operand) {
    return operation().operandNames().contains(operand) && has(operand);
  }

  /** The scores of its rows. */
  ScoreRow scoreRow(Operands data) {
    return switch (kind) {
      case ADDITIVE -> new AdditiveRow(this, data);
      case DISTANCE -> new DistanceRow(this, data);
    };
  }

  /** What must stand in the outputs, by name. */
  public Map<String, Expected> expected(Operands data) {
    if (!isBackward()) {
      return Oracle.run(this, data);
    }
    return switch (kind) {
      case ADDITIVE -> AdditiveGradients.run(this, data);
      case DISTANCE -> DistanceGradients.run(this, data);
    };
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return switch (kind) {
      case ADDITIVE -> AdditiveBinding.bind(this, run);
      case DISTANCE -> DistanceBinding.bind(this, run);
    };
  }

  @Override
  public void fill(MemorySegment spec) {
    options.visibility().fill(operation(), spec);
    operation().float32("dropout").set(spec, options.dropout());
    if (has("top_keys")) {
      operation().int64("top_count").set(spec, layout("top_keys").size()[3]);
    }
    if (options.ridge() != null) {
      operation().int32("fit").set(spec, 1);
      operation().float32("ridge").set(spec, options.ridge());
    }
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "%s %s %s %s guard=%s par=%d %s| %s"
        .formatted(
            operation().name(),
            geometry,
            options,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
