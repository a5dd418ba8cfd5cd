package dev.fovea.testkit.attention;

import dev.fovea.Device;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * One attention call, described completely: everything else (operands, expected outputs) follows
 * from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make them.
 *
 * @param geometry sizes
 * @param options what is computed
 * @param layouts where operands lie in memory
 * @param cache how keys and values lie in one; null: as {@code layouts} say
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param repeat the command that repeats the case
 */
public record AttentionCase(
    Geometry geometry,
    Options options,
    Layouts layouts,
    Cache cache,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    String repeat)
    implements CheckedCase {

  /** The layouts of the operands; null where the case has no such operand. */
  public record Layouts(
      Layout query,
      Layout queryScales,
      Layout key,
      Layout value,
      Layout out,
      Layout lse,
      Layout weights,
      Layout topWeights,
      Layout topKeys,
      Layout bias,
      Layout mask,
      Layout contentBias,
      Layout positionBias,
      Layout positionKeys,
      Layout table,
      Layout modifierTable,
      Layout alibi,
      Layout keyGates,
      Layout outputGates,
      Layout ungated,
      List<Layout> rows) {

    List<Layout> all() {
      return Stream.concat(
              Stream.of(
                  query, key, value, out, lse, weights, bias, mask, table, modifierTable, alibi),
              Stream.concat(
                  Stream.of(
                      queryScales,
                      topWeights,
                      topKeys,
                      contentBias,
                      positionBias,
                      positionKeys,
                      keyGates,
                      outputGates,
                      ungated),
                  rows.stream()))
          .filter(Objects::nonNull)
          .toList();
    }
  }

  /** Kinds of values. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** Queries 40 times as large: nearly one-hot rows, scores of some hundreds. */
    EXTREME,
    /** Every value the same: uniform weights. */
    CONSTANT,
    /** Values of 1e-6 times N(0,1) in value: subnormal in float16. */
    TINY,
    /** One bias entry in five is -inf; one row in four wholly. Needs a bias. */
    BIAS_HOLES,
    /** Every bias entry is -inf. Needs a bias. */
    BIAS_ALL_MASKED,
    /** Bias entries at masked places are NaN: what is masked is -inf whatever its bias. */
    BIAS_NAN_AT_MASKED,
    /** A NaN in one key: reaches every row that sees it; other rows of its head are free. */
    NAN_IN_KEY,
    /** A NaN in one element of value. */
    NAN_IN_VALUE,
    /** A NaN in one query row: stays in its row. */
    NAN_IN_QUERY;

    /** Whether it needs a bias. */
    boolean isOfBias() {
      return this == BIAS_HOLES || this == BIAS_ALL_MASKED || this == BIAS_NAN_AT_MASKED;
    }
  }

  /** Keys that the busiest query sees. */
  public int keysPerRow() {
    return options.visibility().keysPerRow(geometry);
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    return geometry.covered(keysPerRow(), tileQueries, tileKeys);
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public void write(CaseFile file, String device) throws IOException {
    CaseContents.write(file, this, Precision.of(device));
  }

  @Override
  public Prepared prepare(Device device) {
    Operands data = Operands.of(this);
    Oracle.Outputs expected = Oracle.run(this, data, Precision.of(device));
    return on -> {
      try (CaseRun run = new CaseRun(this, data, on)) {
        String wrong = run.run().compare(expected);
        double worst = Comparison.worstRatio(run.out(), expected.out());
        return new Result(wrong, worst, run.outputBytes(), run.plan());
      }
    };
  }

  /** The key/value head of query head {@code h}. */
  public int keyHead(int h) {
    return h / geometry.group();
  }

  /** Position of query {@code i} among the keys of sequence {@code b}. */
  public long position(int b, int i) {
    return options.visibility().position(geometry, b, i);
  }

  /** First key that query {@code i} of sequence {@code b} sees; see also {@link #visibleEnd}. */
  public int visibleBegin(int b, int i) {
    return options.visibility().begin(geometry, b, i);
  }

  /** One behind the last key that query {@code i} of sequence {@code b} sees; may lie before it. */
  public int visibleEnd(int b, int i) {
    return options.visibility().end(geometry, b, i);
  }

  /** Unmasked (query, key) pairs of one head, over the batch. */
  public long visiblePairs() {
    long pairs = 0;
    for (int b = 0; b < geometry.batch(); b++) {
      for (int i = 0; i < geometry.lenQ(b); i++) {
        pairs += Math.max(0, visibleEnd(b, i) - visibleBegin(b, i));
      }
    }
    return pairs;
  }

  /** Buffer index of row (b, i, h) of an operand in [batch, position, head] order. */
  public int rowIndex(Layout layout, int[] cu, int b, int i, int h) {
    return geometry.rowIndex(layout, cu, b, i, h);
  }

  /** Buffer index of row (b, h, i) of lse. */
  public int lseIndex(int[] cu, int b, int h, int i) {
    return geometry.lseIndex(layouts.lse(), cu, b, h, i);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "%s %s %s guard=%s par=%d | q%s k%s v%s out%s%s%s%s"
        .formatted(
            geometry,
            options,
            content,
            guard,
            parallelism,
            layouts.query,
            layouts.key,
            layouts.value,
            layouts.out,
            layouts.bias == null ? "" : " bias" + layouts.bias,
            layouts.mask == null ? "" : " mask" + layouts.mask,
            cache == null ? "" : cache);
  }
}
