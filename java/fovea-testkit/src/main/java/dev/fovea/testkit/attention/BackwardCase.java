package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The backward pass of one attention call, described completely. Immutable; {@link BackwardBuilder}
 * and {@link BackwardGenerator} make them.
 *
 * @param forward the call, which has an lse and no weights
 * @param dtype of dquery, dkey and dvalue
 * @param deterministic the same bits on every run are asked for
 * @param accumulate dkey and dvalue are added to what is there
 * @param dsinks is asked for
 * @param layouts where the operands that the forward has not lie in memory
 */
public record BackwardCase(
    AttentionCase forward,
    DType dtype,
    boolean deterministic,
    boolean accumulate,
    boolean dsinks,
    Layouts layouts)
    implements CheckedCase {

  /**
   * The layouts; null where the case has no such operand. dbias has the sizes of the bias, those of
   * positions the sizes of what joins products, dtable those of what is added by distance, dalibi
   * those of the slopes and drows those of the row operands, and those of gates the sizes of these:
   * dimensions of one element are summed over.
   */
  public record Layouts(
      Layout dout,
      Layout dquery,
      Layout dkey,
      Layout dvalue,
      Layout dbias,
      Layout dcontentBias,
      Layout dpositionBias,
      Layout dpositionKeys,
      Layout dtable,
      Layout dmodifierTable,
      Layout dalibi,
      Layout dkeyGates,
      Layout doutputGates,
      List<Layout> drows) {

    boolean hasPositions() {
      return dcontentBias != null || dpositionBias != null || dpositionKeys != null;
    }

    Stream<Layout> all() {
      return Stream.concat(
              Stream.of(dout, dquery, dkey, dvalue, dbias, dtable, dmodifierTable, dalibi),
              Stream.concat(
                  Stream.of(dcontentBias, dpositionBias, dpositionKeys, dkeyGates, doutputGates),
                  drows.stream()))
          .filter(Objects::nonNull);
    }
  }

  /** Sizes of its tensors. */
  public Geometry geometry() {
    return forward.geometry();
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    return forward.sizes(tileQueries, tileKeys);
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public String repeat() {
    return forward.repeat();
  }

  @Override
  public void write(CaseFile file, String device) throws IOException {
    CaseContents.write(file, this, Precision.of(device));
  }

  @Override
  public Prepared prepare(Device device) {
    BackwardOperands data = BackwardOperands.of(this);
    Gradients expected = BackwardOracle.run(this, data, Precision.of(device.name()));
    return on -> {
      try (BackwardRun run = new BackwardRun(this, data, on)) {
        String wrong = run.run().compare(expected);
        double worst =
            Math.max(
                Comparison.worstRatio(run.dquery(), expected.dquery()),
                Math.max(
                    Comparison.worstRatio(run.dkey(), expected.dkey()),
                    Comparison.worstRatio(run.dvalue(), expected.dvalue())));
        return new Result(wrong, worst, run.outputBytes(), run.plan());
      }
    };
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "backward %s%s%s%s%s%s %s | dout%s dq%s dk%s dv%s%s"
        .formatted(
            dtype,
            deterministic ? " deterministic" : "",
            accumulate ? " accumulate" : "",
            layouts.dbias == null ? "" : " dbias",
            (layouts.hasPositions() ? " dpositions" : "")
                + (layouts.dtable == null ? "" : " dtable")
                + (layouts.dmodifierTable == null ? "" : " dmodifierTable")
                + (layouts.dalibi == null ? "" : " dalibi")
                + (layouts.drows.isEmpty() ? "" : " drows")
                + (layouts.dkeyGates == null ? "" : " dkeyGates")
                + (layouts.doutputGates == null ? "" : " doutputGates"),
            dsinks ? " dsinks" : "",
            forward,
            layouts.dout,
            layouts.dquery,
            layouts.dkey,
            layouts.dvalue,
            layouts.dbias == null ? "" : " dbias" + layouts.dbias);
  }
}
