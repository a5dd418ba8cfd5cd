package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Layout;

/**
 * What keys of distances and biases of queries are to the gradients of {@link BackwardOracle}:
 * their own, and what they add to those of queries and keys.
 */
final class PositionSums {

  private final BackwardCase backward;
  private final Positions options;
  private final OracleHead head;
  private final BackwardRow terms;
  private final Precision precision;
  private final int width;
  private final Factors rows; // keys of distances, times scale
  private final Factors query; // with the position bias, times scale
  private final GradientSums contentBias;
  private final GradientSums positionBias;
  private final GradientSums keys;
  private final Expected dcontentBias;
  private final Expected dpositionBias;
  private final Expected dpositionKeys;
  private int rowsOf = -1; // which head

  PositionSums(BackwardCase backward, OracleHead head, BackwardRow terms, Precision precision) {
    this.backward = backward;
    this.head = head;
    this.terms = terms;
    this.precision = precision;
    options = backward.forward().options().positions();
    width = backward.geometry().headDim();
    double least = precision.leastFactor(backward.forward().options().dtype());
    rows = new Factors(head.positionRows() * width, least);
    query = new Factors(width, least);
    BackwardCase.Layouts layouts = backward.layouts();
    contentBias = sums(layouts.dcontentBias());
    positionBias = sums(layouts.dpositionBias());
    keys = sums(layouts.dpositionKeys());
    dcontentBias = expected(DType.FLOAT32, layouts.dcontentBias());
    dpositionBias = expected(DType.FLOAT32, layouts.dpositionBias());
    dpositionKeys = expected(backward.dtype(), layouts.dpositionKeys());
  }

  private GradientSums sums(Layout layout) {
    return layout == null
        ? null
        : new GradientSums(
            (int) (layout.size()[1] * layout.size()[2]),
            width,
            backward.forward(),
            head,
            precision);
  }

  private static Expected expected(DType type, Layout layout) {
    return layout == null ? null : new Expected(type, layout.elements());
  }

  Expected dcontentBias() {
    return dcontentBias;
  }

  Expected dpositionBias() {
    return dpositionBias;
  }

  Expected dpositionKeys() {
    return dpositionKeys;
  }

  /** Takes a row of scores of a head. */
  void begin(int h, OracleRow row) {
    for (int d = 0; d < width && head.positionRows() > 0; d++) {
      query.set(d, row.positionQuery().value()[d], head.scale());
    }
    int count = head.positionRows();
    for (int n = 0; n < count && rowsOf != h; n++) {
      for (int d = 0; d < width; d++) {
        double value = head.positionsTransposed().value()[d * count + count - 1 - n];
        rows.set(n * width + d, value, head.scale());
      }
    }
    rowsOf = h;
  }

  /**
   * Adds visible key {@code j} of the row, query {@code i}, to its own sums and, as far as it is
   * theirs, to that of the query.
   */
  void add(int h, int i, int j, GradientSums dqueryRow, Factors keyRows) {
    if (contentBias != null) {
      contentBias.add(h, terms.unscaled(), j, keyRows, (head.begin() + j) * width);
    }
    if (!options.hasKeys()) {
      return;
    }
    int n = head.positionRow(i, j);
    dqueryRow.add(0, terms.unscaled(), j, rows, n * width);
    if (positionBias != null) {
      positionBias.add(h, terms.unscaled(), j, rows, n * width);
    }
    if (keys != null) {
      keys.add(sum(h, n), terms.unscaled(), j, query, 0);
    }
  }

  /** Which sum row {@code n} of a head joins. */
  private int sum(int h, int n) {
    return options.keys() == Positions.Keys.SHARED ? n : n * backward.geometry().queryHeads() + h;
  }

  /** Whatever is not NaN of a head may be anything. */
  void free(int h) {
    if (contentBias != null) {
      contentBias.free(h, h + 1);
    }
    if (positionBias != null) {
      positionBias.free(h, h + 1);
    }
    for (int n = 0; keys != null && n < head.positionRows(); n++) {
      keys.free(sum(h, n), sum(h, n) + 1);
    }
  }

  /** Says what the gradients must be. */
  void expect() {
    expect(contentBias, backward.layouts().dcontentBias(), dcontentBias);
    expect(positionBias, backward.layouts().dpositionBias(), dpositionBias);
    expect(keys, backward.layouts().dpositionKeys(), dpositionKeys);
  }

  private static void expect(GradientSums sums, Layout layout, Expected gradient) {
    if (layout == null) {
      return;
    }
    int heads = (int) layout.size()[2];
    for (int n = 0; n < layout.size()[1]; n++) {
      for (int h = 0; h < heads; h++) {
        sums.expect(gradient, layout.at(0, n, h), n * heads + h, null);
      }
    }
  }
}
