package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.Visibility;
import dev.fovea.testkit.attention.AttentionCase.Content;

/**
 * What joins the products of queries and keys: biases of queries, and keys of distances.
 *
 * @param contentBias is given
 * @param positionBias is given
 * @param keys those of distances
 * @param before rows of these before that of the least distance
 * @param behind rows behind that of the largest
 */
public record Positions(
    boolean contentBias, boolean positionBias, Keys keys, int before, int behind) {

  /** Nothing. */
  public static final Positions NONE = new Positions(false, false, Keys.NONE, 0, 0);

  /** Keys of distances. */
  public enum Keys {
    NONE,
    /** [P, 1, D]. */
    SHARED,
    /** [P, Hq, D]. */
    OF_HEADS
  }

  /** All of it, with keys of distances for each head and no row more than needed. */
  public static Positions all() {
    return new Positions(true, true, Keys.OF_HEADS, 0, 0);
  }

  /** A content bias alone. */
  public static Positions ofContent() {
    return new Positions(true, false, Keys.NONE, 0, 0);
  }

  /** None in most cases. */
  static Positions draw(Gaussian random) {
    boolean content = random.chance(0.7);
    boolean position = random.chance(0.7);
    Keys keys = random.pick(Keys.NONE, Keys.SHARED, Keys.OF_HEADS, Keys.OF_HEADS);
    int before = random.among(0, 0, 1, 70);
    int behind = random.among(0, 0, 1, 70);
    if (!random.chance(0.2)) {
      return NONE;
    }
    boolean has = keys != Keys.NONE;
    return new Positions(
        content || !has, has && position, keys, has ? before : 0, has ? behind : 0);
  }

  /** Buffers; null where there is nothing. */
  public record Data(float[] contentBias, float[] positionBias, float[] keys) {
    static final Data NONE = new Data(null, null, null);
  }

  boolean hasKeys() {
    return keys != Keys.NONE;
  }

  /** The least distance, a position minus a key, of sequences as long as sizes let them be. */
  static long least(Geometry g, Visibility v) {
    long least = 1L - (v.topLeft() ? g.keyLength() : g.queryLength());
    least = v.causal() ? Math.max(least, 0) : least;
    return v.windowRight() < 0 ? least : Math.max(least, -v.windowRight());
  }

  /** Likewise the largest. */
  static long largest(Geometry g, Visibility v) {
    long largest = (v.topLeft() ? g.queryLength() : g.keyLength()) - 1L;
    return v.windowLeft() < 0 ? largest : Math.min(largest, v.windowLeft());
  }

  /** The row of distance 0. */
  public long origin(Geometry g, Visibility v) {
    return hasKeys() ? before - Math.min(least(g, v), 0) : 0;
  }

  /** Rows of keys of distances. */
  int rows(Geometry g, Visibility v) {
    return (int) (origin(g, v) + Math.max(largest(g, v), 0) + 1 + behind);
  }

  /** [1, 1, Hq, D]; null if it is not given. */
  static Layout biasLayout(boolean given, Style style, Geometry g) {
    return given ? style.layout(1, 1, g.queryHeads(), g.headDim()) : null;
  }

  /** [1, P, Hq or 1, D]; null for none. */
  Layout keyLayout(Style style, Geometry g, Visibility v) {
    int heads = keys == Keys.SHARED ? 1 : g.queryHeads();
    return hasKeys() ? style.layout(1, rows(g, v), heads, g.headDim()) : null;
  }

  /** Of the same kind as queries; rows of distances that no pair has are NaN. */
  static Data draw(AttentionCase c, Gaussian random) {
    Positions it = c.options().positions();
    float[] content = it.contentBias ? fill(c, c.layouts().contentBias(), null, random) : null;
    float[] position = it.positionBias ? fill(c, c.layouts().positionBias(), null, random) : null;
    float[] keys = it.hasKeys() ? fill(c, c.layouts().positionKeys(), seen(c), random) : null;
    return new Data(content, position, keys);
  }

  private static boolean[] seen(AttentionCase c) {
    Geometry g = c.geometry();
    Visibility v = c.options().visibility();
    boolean[] seen = new boolean[c.options().positions().rows(g, v)];
    long origin = c.options().positions().origin(g, v);
    for (int b = 0; b < g.batch(); b++) {
      for (int i = 0; i < g.lenQ(b); i++) {
        for (int j = c.visibleBegin(b, i); j < c.visibleEnd(b, i); j++) {
          seen[(int) (origin + c.position(b, i) - j)] = true;
        }
      }
    }
    return seen;
  }

  private static float[] fill(AttentionCase c, Layout layout, boolean[] seen, Gaussian random) {
    DType type = seen == null ? DType.FLOAT32 : c.options().dtype();
    float[] buffer = Operands.poisoned(layout);
    float constant = Rounding.round(type, random.nextNormal());
    boolean outliers = c.content() == Content.OUTLIERS;
    for (int n = 0; n < layout.size()[1]; n++) {
      for (int h = 0; h < layout.size()[2]; h++) {
        int row = layout.at(0, n, h);
        for (int d = row; d < row + layout.size()[3]; d++) {
          float drawn = random.nextNormal() * (outliers && random.nextInt(1000) == 0 ? 10 : 1);
          float value = c.content() == Content.CONSTANT ? constant : Rounding.round(type, drawn);
          buffer[d] = seen == null || seen[n] ? value : Float.NaN;
        }
      }
    }
    return buffer;
  }

  @Override
  public String toString() {
    return (contentBias ? " contentBias" : "")
        + (positionBias ? " positionBias" : "")
        + (hasKeys() ? " positionKeys=" + keys + "/" + before + "/" + behind : "");
  }
}
