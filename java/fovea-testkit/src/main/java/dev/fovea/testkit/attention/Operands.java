package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The input buffers of a case as float values that are exact in their dtype. Whatever the operation
 * must not let into a result is NaN: padding behind the lengths, gaps between rows, bias entries of
 * padding.
 *
 * @param query buffer of query: what the elements stand for, of e4m3 before scales
 * @param queryScales buffer of the scales of queries, or null
 * @param key buffer of key
 * @param value buffer of value
 * @param cache key and value as they lie in a cache
 * @param positions what joins the products of queries and keys
 * @param bias buffer of the bias, or null
 * @param mask buffer of the mask, 0 where a key is hidden, or null
 * @param table buffer of what is added by distance, or null
 * @param buckets of distances, or null
 * @param blocks lists of the block mask, or null
 * @param modifierTable buffer of what a score modifier looks up, or null
 * @param alibi buffer of the slopes, or null
 * @param keyGates buffer of the logits of the gates of keys, or null
 * @param outputGates buffer of those of out, or null
 * @param rows buffers of {@link Options#rows}
 * @param sinks [Hq], or null
 */
public record Operands(
    float[] query,
    float[] queryScales,
    float[] key,
    float[] value,
    Cache.Data cache,
    Positions.Data positions,
    float[] bias,
    float[] mask,
    float[] table,
    int[] buckets,
    Blocks.Lists blocks,
    float[] modifierTable,
    float[] alibi,
    float[] keyGates,
    float[] outputGates,
    List<float[]> rows,
    float[] sinks) {

  private static final float EXTREME_FACTOR = 40;
  private static final float TINY_FACTOR = 1e-6f;
  private static final double HOLE = 0.2;
  private static final double DEAD_ROW = 0.25;

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(AttentionCase c) {
    Options options = c.options();
    Geometry geometry = c.geometry();
    DType type = options.isFloat8() ? DType.FLOAT32 : options.dtype(); // what is drawn
    int[] cuQ = geometry.cuQ();
    int[] cuK = geometry.cuK();
    float factor = c.content() == Content.EXTREME ? EXTREME_FACTOR : 1;
    float[] query = fill(c, c.layouts().query(), cuQ, true, type, factor, seed(c, 1));
    float[] key = fill(c, c.layouts().key(), cuK, false, type, 1, seed(c, 2));
    float tiny = c.content() == Content.TINY ? TINY_FACTOR : 1;
    float[] value = fill(c, c.layouts().value(), cuK, false, type, tiny, seed(c, 3));
    plantNaN(c, query, key, value, cuQ, cuK);
    float[] queryScales = options.isFloat8() ? quantize(c, query) : null;
    Cache cache = c.cache();
    Cache.Data cached = cache == null ? Cache.Data.NONE : cache.draw(c, key, value, seed(c, 15));
    float[] bias = options.hasBias() ? bias(c, cuQ) : null;
    Relative relative = options.relative();
    int[] buckets = relative == null ? null : relative.buckets(new Gaussian(seed(c, 9)));
    return new Operands(
        query,
        queryScales,
        key,
        value,
        cached,
        Positions.draw(c, new Gaussian(seed(c, 14))),
        bias,
        mask(c),
        table(c),
        buckets,
        blocks(c),
        modifierTable(c),
        alibi(c),
        Gates.drawKeys(c, new Gaussian(seed(c, 12))),
        Gates.drawOutput(c, new Gaussian(seed(c, 13))),
        rows(c),
        sinks(c));
  }

  /** Of a case without a mask or gates, and what it has for distances and query rows. */
  public Operands(
      float[] query, float[] key, float[] value, float[] bias, float[] alibi, float[] sinks) {
    this(
        query,
        null,
        key,
        value,
        Cache.Data.NONE,
        Positions.Data.NONE,
        bias,
        null,
        null,
        null,
        null,
        null,
        alibi,
        null,
        null,
        List.of(),
        sinks);
  }

  /** The buffer of query as it lies in memory: of e4m3 its bits. */
  float[] queryElements(AttentionCase c) {
    return c.options().isFloat8() ? Quantization.bits(c.options().dtype(), query) : query;
  }

  /**
   * Rounds queries to e4m3, of about the size that scales leave them, and draws these: null for
   * none. Their products with elements are exact in float32, since they have 8 bits.
   */
  private static float[] quantize(AttentionCase c, float[] query) {
    Gaussian random = new Gaussian(Gaussian.mix(seed(c, 16)));
    Layout layout = c.layouts().queryScales();
    float largest = 0;
    for (float x : query) {
      largest = Math.abs(x) > largest ? Math.abs(x) : largest;
    }
    DType type = c.options().dtype();
    float scale = layout == null || largest == 0 ? 1 : largest / Quantization.most(type);
    for (int at = 0; at < query.length; at++) {
      query[at] = Quantization.value(type, Quantization.quantize(type, query[at] / scale));
    }
    return layout == null ? null : queryScales(c, layout, scale, random);
  }

  /** A little above or below {@code scale}; NaN for sequences without queries. */
  private static float[] queryScales(AttentionCase c, Layout layout, float scale, Gaussian random) {
    float[] buffer = poisoned(layout);
    for (int b = 0; b < c.geometry().batch(); b++) {
      for (int h = 0; h < c.geometry().keyHeads() && c.geometry().lenQ(b) > 0; h++) {
        int at = layout.atBroadcast(b, h, 0);
        if (Float.isNaN(buffer[at])) {
          float drawn = scale * (0.8f + 0.4f * (float) random.nextDouble());
          buffer[at] = Rounding.round(DType.BFLOAT16, drawn);
        }
      }
    }
    return buffer;
  }

  /** The lists of the block mask; null if there is none. */
  static Blocks.Lists blocks(AttentionCase c) {
    Blocks blocks = c.options().blocks();
    return blocks == null ? null : blocks.lists(c.geometry(), new Gaussian(seed(c, 11)));
  }

  private static List<float[]> rows(AttentionCase c) {
    Gaussian random = new Gaussian(Gaussian.mix(seed(c, 0)));
    List<float[]> all = new ArrayList<>();
    for (int k = 0; k < c.options().rows().size(); k++) {
      all.add(c.options().rows().get(k).draw(c, c.layouts().rows().get(k), random));
    }
    return all;
  }

  private static long seed(AttentionCase c, int salt) {
    return Gaussian.mix(c.dataSeed() * 8 + salt);
  }

  /** A buffer with values inside the lengths, of the queries or of the keys. */
  static float[] fill(
      AttentionCase c,
      Layout layout,
      int[] cu,
      boolean query,
      DType type,
      float factor,
      long seed) {
    float[] buffer = poisoned(layout);
    Gaussian random = new Gaussian(seed);
    boolean outliers = c.content() == Content.OUTLIERS;
    float constant = Rounding.round(type, random.nextNormal());
    Geometry geometry = c.geometry();
    int heads = (int) layout.size()[2];
    int width = (int) layout.size()[3];
    for (int b = 0; b < geometry.batch(); b++) {
      int length = query ? geometry.lenQ(b) : geometry.lenK(b);
      for (int i = 0; i < length; i++) {
        for (int h = 0; h < heads; h++) {
          int row = c.rowIndex(layout, cu, b, i, h);
          if (width == 0 || !Float.isNaN(buffer[row])) {
            continue; // Broadcast: already drawn.
          }
          for (int d = 0; d < width; d++) {
            float drawn = random.nextNormal();
            if (outliers && random.nextInt(1000) == 0) {
              drawn *= 10;
            }
            buffer[row + d] =
                c.content() == Content.CONSTANT ? constant : Rounding.round(type, drawn * factor);
          }
        }
      }
    }
    return buffer;
  }

  /** One NaN inside the lengths of the middle sequence, where that has any element. */
  private static void plantNaN(
      AttentionCase c, float[] query, float[] key, float[] value, int[] cuQ, int[] cuK) {
    Geometry geometry = c.geometry();
    int b = geometry.batch() / 2;
    if (geometry.batch() == 0 || geometry.lenQ(b) == 0 || geometry.lenK(b) == 0) {
      return;
    }
    Gaussian random = new Gaussian(seed(c, 4));
    int i = random.nextInt(geometry.lenQ(b));
    int j = random.nextInt(geometry.lenK(b));
    int h = random.nextInt(geometry.queryHeads());
    int d = random.nextInt(geometry.headDim());
    int e = random.nextInt(geometry.valueHeadDim());
    switch (c.content()) {
      case NAN_IN_QUERY -> query[c.rowIndex(c.layouts().query(), cuQ, b, i, h) + d] = Float.NaN;
      case NAN_IN_KEY ->
          key[c.rowIndex(c.layouts().key(), cuK, b, j, c.keyHead(h)) + d] = Float.NaN;
      case NAN_IN_VALUE ->
          value[c.rowIndex(c.layouts().value(), cuK, b, j, c.keyHead(h)) + e] = Float.NaN;
      default -> {}
    }
  }

  private static float[] bias(AttentionCase c, int[] cuQ) {
    Layout layout = c.layouts().bias();
    Geometry geometry = c.geometry();
    DType type = c.options().biasDType();
    float[] buffer = poisoned(layout);
    Gaussian random = new Gaussian(seed(c, 5));
    boolean holes = c.content() == Content.BIAS_HOLES;
    boolean allMasked = c.content() == Content.BIAS_ALL_MASKED;
    boolean hideMasked = c.content() == Content.BIAS_NAN_AT_MASKED;
    for (int b = 0; b < geometry.batch(); b++) {
      for (int h = 0; h < geometry.queryHeads(); h++) {
        for (int i = 0; i < geometry.lenQ(b); i++) {
          int row = biasRow(c, layout, cuQ, b, h, i);
          boolean dead = allMasked || holes && random.chance(DEAD_ROW);
          int begin = hideMasked ? c.visibleBegin(b, i) : 0;
          int end = hideMasked ? c.visibleEnd(b, i) : geometry.lenK(b);
          for (int j = begin; j < end; j++) {
            if (Float.isNaN(buffer[row + j])) {
              boolean hole = dead || holes && random.chance(HOLE);
              buffer[row + j] =
                  hole ? Float.NEGATIVE_INFINITY : Rounding.round(type, random.nextNormal());
            }
          }
        }
      }
    }
    return buffer;
  }

  /** Bytes that hide few or most of the keys of a row, or all. */
  private static float[] mask(AttentionCase c) {
    Layout layout = c.layouts().mask();
    if (layout == null) {
      return null;
    }
    Geometry g = c.geometry();
    int[] cuQ = g.cuQ();
    float[] buffer = poisoned(layout);
    Gaussian random = new Gaussian(seed(c, 8));
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int row = biasRow(c, layout, cuQ, b, h, i);
          double hidden = random.pick(0.05, 0.3, 0.9, 1.0);
          for (int j = 0; j < g.lenK(b); j++) {
            if (Float.isNaN(buffer[row + j])) {
              buffer[row + j] = random.chance(hidden) ? 0 : random.among(1, 1, 2, 128, 255);
            }
          }
        }
      }
    }
    return buffer;
  }

  /** Index in the buffer of bias or mask of the row of (b, h, i), whatever is broadcast. */
  static int biasRow(AttentionCase c, Layout layout, int[] cuQ, int b, int h, int i) {
    return c.geometry().packed()
        ? layout.atBroadcast(0, h, cuQ[b] + i)
        : layout.atBroadcast(b, h, i);
  }

  private static float[] table(AttentionCase c) {
    Layout layout = c.layouts().table();
    if (layout == null) {
      return null;
    }
    Gaussian random = new Gaussian(seed(c, 10));
    float[] buffer = poisoned(layout);
    for (int h = 0; h < layout.size()[1]; h++) {
      for (int n = 0; n < layout.size()[2]; n++) {
        buffer[layout.at(0, h, n)] = random.nextNormal();
      }
    }
    return buffer;
  }

  private static float[] modifierTable(AttentionCase c) {
    Layout layout = c.layouts().modifierTable();
    if (layout == null) {
      return null;
    }
    Gaussian random = new Gaussian(seed(c, 14));
    float[] buffer = poisoned(layout);
    for (int h = 0; h < layout.size()[1]; h++) {
      for (int n = 0; n < layout.size()[2]; n++) {
        buffer[layout.at(0, h, n)] = random.nextNormal() / 4;
      }
    }
    return buffer;
  }

  /** Slopes 2^-1, 2^-2, ... in varied order, as ALiBi has them, some a little off. */
  private static float[] alibi(AttentionCase c) {
    Layout layout = c.layouts().alibi();
    if (layout == null) {
      return null;
    }
    Gaussian random = new Gaussian(seed(c, 6));
    float[] buffer = poisoned(layout);
    for (int b = 0; b < layout.size()[0]; b++) {
      for (int h = 0; h < layout.size()[1]; h++) {
        int at = layout.at(b, h, 0);
        if (Float.isNaN(buffer[at])) {
          buffer[at] = (float) Math.scalb(0.75 + 0.5 * random.nextDouble(), -1 - random.nextInt(8));
        }
      }
    }
    return buffer;
  }

  private static float[] sinks(AttentionCase c) {
    if (!c.options().sinks()) {
      return null;
    }
    Gaussian random = new Gaussian(seed(c, 7));
    float[] sinks = new float[c.geometry().queryHeads()];
    for (int h = 0; h < sinks.length; h++) {
      sinks[h] = 3 * random.nextNormal();
    }
    return sinks;
  }

  /** NaN everywhere. */
  static float[] poisoned(Layout layout) {
    float[] buffer = new float[layout.elements()];
    Arrays.fill(buffer, Float.NaN);
    return buffer;
  }
}
