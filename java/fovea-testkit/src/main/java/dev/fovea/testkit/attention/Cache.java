package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import java.util.Map;

/**
 * How keys and values lie in a cache. To the oracle they are dense as ever, with the values that
 * their elements stand for: these are exact in float32, since scales have 8 bits.
 *
 * @param type of the elements
 * @param pageSize rows of a page; 0: sequences lie as without a cache
 * @param sparePages that no sequence has
 * @param spareColumns of the block table, that no sequence fills
 * @param scales which elements are multiplied by one
 * @param tree whether queries see of each other what a tree says
 * @param treePerBatch whether sequences have trees of their own
 * @param latent whether values are the first columns of keys, in the same memory, as multi-head
 *     latent attention has them
 * @param keyStyle memory of keys
 * @param valueStyle memory of values
 * @param scaleStyle memory of scales
 * @param treeStyle memory of trees
 */
public record Cache(
    DType type,
    int pageSize,
    int sparePages,
    int spareColumns,
    Scales scales,
    boolean tree,
    boolean treePerBatch,
    boolean latent,
    Style keyStyle,
    Style valueStyle,
    Style scaleStyle,
    Style treeStyle) {

  /** What has a scale. */
  public enum Scales {
    NONE,
    /** Each row of a key head. */
    ROW,
    /** All rows of a page, or where there are none of a sequence, of a key head. */
    PAGE
  }

  /**
   * The buffers of a cache.
   *
   * @param key bits of its elements, or values of a floating type
   * @param value likewise
   * @param keyScales null for none
   * @param valueScales null for none
   * @param table null without pages
   * @param tree null for none
   */
  record Data(
      float[] key,
      float[] value,
      float[] keyScales,
      float[] valueScales,
      int[] table,
      float[] tree) {
    static final Data NONE = new Data(null, null, null, null, null, null);
  }

  /** Rows that lie as without a cache, dense, with scales of such rows or of sequences. */
  public static Cache ofRows(DType type, Scales scales) {
    Style dense = Style.DENSE;
    return new Cache(type, 0, 0, 0, scales, false, false, false, dense, dense, dense, dense);
  }

  /** The same of elements of another type. */
  Cache of(DType type) {
    return new Cache(
        type,
        pageSize,
        sparePages,
        spareColumns,
        scales,
        tree,
        treePerBatch,
        latent,
        keyStyle,
        valueStyle,
        scaleStyle,
        treeStyle);
  }

  boolean hasPages() {
    return pageSize > 0;
  }

  boolean isQuantized() {
    return type.isQuantized();
  }

  private int pages(Geometry g, int b) {
    return (g.lenK(b) + pageSize - 1) / pageSize;
  }

  int pageCount(Geometry g) {
    int count = sparePages;
    for (int b = 0; b < g.batch(); b++) {
      count += pages(g, b);
    }
    return count;
  }

  int pageColumns(Geometry g) {
    return (g.keyLength() + pageSize - 1) / pageSize + spareColumns;
  }

  Layout keyLayout(Geometry g) {
    return layout(keyStyle, g, g.headDim());
  }

  Layout valueLayout(Geometry g) {
    if (!latent) {
      return layout(valueStyle, g, g.valueHeadDim());
    }
    Layout keys = keyLayout(g);
    long[] size = keys.size().clone();
    size[3] = g.valueHeadDim() / type.packedValues();
    return Layout.withStrides(keys.offset(), keys.stride(), size);
  }

  private Layout layout(Style style, Geometry g, int width) {
    int elements = width / type.packedValues();
    return hasPages()
        ? style.layout(pageCount(g), pageSize, g.keyHeads(), elements)
        : style.layout(g.outerBatch(), g.keyRows(), g.keyHeads(), elements);
  }

  /** Of scales: [1, pages or batch, rows or 1, Hk]; null without any. */
  Layout scaleLayout(Geometry g) {
    if (scales == Scales.NONE) {
      return null;
    }
    boolean rows = scales == Scales.ROW;
    return hasPages()
        ? scaleStyle.layout(1, pageCount(g), rows ? pageSize : 1, g.keyHeads())
        : scaleStyle.layout(1, g.outerBatch(), rows ? g.keyRows() : 1, g.keyHeads());
  }

  Layout tableLayout(Geometry g) {
    return hasPages() ? Layout.dense(1, 1, g.batch(), pageColumns(g)) : null;
  }

  /** Of trees: [1, batch or 1, queries, longest queries]; null without one. */
  Layout treeLayout(Geometry g) {
    return tree
        ? treeStyle.layout(1, treePerBatch ? g.outerBatch() : 1, g.queryRows(), g.queryLength())
        : null;
  }

  /** Lengths of key sequences that an operation is given; null for none. */
  int[] keyLengths(Geometry g) {
    if (!hasPages() || !g.packed()) {
      return g.hasKeyLengths() ? g.keyLengths() : null;
    }
    return g.keyLengths();
  }

  /** Whether query {@code i} of sequence {@code b} sees what is key {@code j} of all. */
  static boolean sees(AttentionCase c, float[] tree, int b, int i, int j) {
    Geometry g = c.geometry();
    int column = j - (g.lenK(b) - g.lenQ(b));
    if (column < 0) {
      return true;
    }
    Layout layout = c.cache().treeLayout(g);
    int batch = layout.size()[1] == 1 ? 0 : b;
    int row = g.packed() ? g.cuQ()[b] + i : i;
    return tree[layout.at(0, batch, row) + column] != 0;
  }

  /**
   * Lays out what was drawn for key and value, and leaves there what the elements stand for.
   *
   * @param key dense, exact in the type of queries
   * @param value likewise
   */
  Data draw(AttentionCase c, float[] key, float[] value, long seed) {
    Gaussian random = new Gaussian(seed);
    Geometry g = c.geometry();
    int[] table = hasPages() ? table(c, random) : null;
    Layout scaleLayout = scaleLayout(g);
    float[] keyScales = scaleLayout == null ? null : Operands.poisoned(scaleLayout);
    float[] valueScales = scaleLayout == null ? null : Operands.poisoned(scaleLayout);
    float[] keys =
        new Placed(c, c.layouts().key(), keyLayout(g), key, keyScales, table, random).place();
    float[] values = keys;
    if (latent) {
      valueScales = keyScales;
      copyColumns(c, key, value);
    } else {
      values =
          new Placed(c, c.layouts().value(), valueLayout(g), value, valueScales, table, random)
              .place();
    }
    return new Data(keys, values, keyScales, valueScales, table, tree ? tree(c, random) : null);
  }

  /** Makes values the first columns of keys. */
  private static void copyColumns(AttentionCase c, float[] key, float[] value) {
    Geometry g = c.geometry();
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.keyHeads(); h++) {
        for (int j = 0; j < g.lenK(b); j++) {
          int from = c.rowIndex(c.layouts().key(), g.cuK(), b, j, h);
          int to = c.rowIndex(c.layouts().value(), g.cuK(), b, j, h);
          System.arraycopy(key, from, value, to, g.valueHeadDim());
        }
      }
    }
  }

  /** Pages in no order. Of those that hold no key which a query sees, anything. */
  private int[] table(AttentionCase c, Gaussian random) {
    Geometry g = c.geometry();
    Layout layout = tableLayout(g);
    int[] table = new int[layout.elements()];
    for (int i = 0; i < table.length; i++) {
      table[i] = random.among(-1, Integer.MAX_VALUE, Integer.MIN_VALUE, pageCount(g), 1 << 30);
    }
    int[] order = new int[pageCount(g)];
    for (int i = 0; i < order.length; i++) {
      int other = random.nextInt(i + 1);
      order[i] = order[other];
      order[other] = i;
    }
    int next = 0;
    for (int b = 0; b < g.batch(); b++) {
      for (int page = 0; page < pages(g, b); page++, next++) {
        if (g.lenQ(b) > 0 && (page + 1) * pageSize > c.visibleBegin(b, 0)) {
          table[layout.at(0, 0, b) + page] = order[next];
        }
      }
    }
    return table;
  }

  private float[] tree(AttentionCase c, Gaussian random) {
    Layout layout = treeLayout(c.geometry());
    float[] tree = Operands.poisoned(layout);
    for (int b = 0; b < layout.size()[1]; b++) {
      for (int i = 0; i < layout.size()[2]; i++) {
        double hidden = random.pick(0.1, 0.5, 0.9, 1.0);
        for (int j = 0; j < layout.size()[3]; j++) {
          tree[layout.at(0, b, i) + j] = random.chance(hidden) ? 0 : random.among(1, 2, 255);
        }
      }
    }
    return tree;
  }

  /**
   * Where row {@code j} of a sequence lies: its page, or batch, and its row there; null if nowhere.
   */
  private int[] at(Geometry g, int[] table, int b, int j) {
    if (!hasPages()) {
      return g.packed() ? new int[] {0, g.cuK()[b] + j} : new int[] {b, j};
    }
    int page = table[tableLayout(g).at(0, 0, b) + j / pageSize];
    return page < 0 || page >= pageCount(g) ? null : new int[] {page, j % pageSize};
  }

  /** The index of the scale of a row that lies {@link #at} there, of key head {@code h}. */
  private int scaleAt(Geometry g, int[] at, int h) {
    Layout of = scaleLayout(g);
    return of.at(0, at[0], of.size()[2] == 1 ? 0 : at[1]) + h;
  }

  /** What value {@code j} of key head {@code h} is multiplied by, and before it its weight. */
  double valueScale(Data data, Geometry g, int b, int j, int h) {
    int[] at = data.valueScales() == null ? null : at(g, data.table(), b, j);
    if (at == null) {
      return 1;
    }
    double scale = data.valueScales()[scaleAt(g, at, h)];
    return scale == 0 ? 1 : scale;
  }

  /** Rows of key or value on their way to a cache. */
  private final class Placed {
    private final AttentionCase c;
    private final Geometry g;
    private final Layout dense;
    private final Layout layout;
    private final float[] from;
    private final float[] scaleOf;
    private final int[] table;
    private final Gaussian random;
    private final float[] to;

    Placed(
        AttentionCase c,
        Layout dense,
        Layout layout,
        float[] from,
        float[] scaleOf,
        int[] table,
        Gaussian random) {
      this.c = c;
      this.g = c.geometry();
      this.dense = dense;
      this.layout = layout;
      this.from = from;
      this.scaleOf = scaleOf;
      this.table = table;
      this.random = random;
      this.to = Operands.poisoned(layout);
    }

    float[] place() {
      for (int b = 0; b < g.batch(); b++) {
        for (int h = 0; h < g.keyHeads(); h++) {
          float shared = scales == Scales.PAGE ? scale(b, h, 0, g.lenK(b)) : 1;
          for (int j = 0; j < g.lenK(b); j++) {
            if (scales == Scales.PAGE && hasPages() && j % pageSize == 0) {
              shared = scale(b, h, j, Math.min(j + pageSize, g.lenK(b)));
            }
            float scale = scales == Scales.ROW ? scale(b, h, j, j + 1) : shared;
            place(b, h, j, scale);
          }
        }
      }
      return to;
    }

    private int denseRow(int b, int h, int j) {
      return c.rowIndex(dense, g.cuK(), b, j, h);
    }

    /** One that rows [begin, end) fit, a little coarser or finer than need be, of 8 bits. */
    private float scale(int b, int h, int begin, int end) {
      if (!hasPages() && scales == Scales.PAGE && g.packed()) {
        return 0.125f; // of all sequences
      }
      float largest = 0;
      for (int j = begin; j < end; j++) {
        int row = denseRow(b, h, j);
        for (int d = 0; d < dense.size()[3]; d++) {
          float size = Math.abs(from[row + d]);
          boolean none = isQuantized() && Float.isNaN(size); // as an element without a scale
          largest = none ? largest : Math.max(largest, size);
        }
      }
      float most = isQuantized() ? Quantization.most(type) : 1;
      float scale = largest == 0 ? 0 : largest / most * (0.9f + 0.3f * (float) random.nextDouble());
      return Rounding.round(DType.BFLOAT16, scale);
    }

    private void place(int b, int h, int j, float scale) {
      int[] at = at(g, table, b, j);
      int row = denseRow(b, h, j);
      int width = (int) dense.size()[3];
      if (at != null && scaleOf != null) {
        scaleOf[scaleAt(g, at, h)] = scale;
      }
      int[] bits = new int[width];
      for (int d = 0; d < width; d++) {
        float wanted = scale == 0 ? 0 : from[row + d] / scale;
        if (isQuantized()) {
          // Below the least that quantizing gives there is one more whole number, which must read.
          boolean below = type != DType.FLOAT8_E4M3 && wanted < -Quantization.most(type) - 0.5f;
          bits[d] = Quantization.quantize(type, wanted) - (below ? 1 : 0);
          from[row + d] = scale * Quantization.value(type, bits[d]);
        } else {
          float element = Rounding.round(type, scaleOf == null ? from[row + d] : coarse(wanted));
          from[row + d] = scaleOf == null ? element : element * scale;
          if (at != null) {
            to[layout.at(at[0], at[1], h) + d] = element;
          }
        }
      }
      if (at != null && isQuantized()) {
        int packed = type.packedValues();
        for (int d = 0; d < width; d += packed) {
          int element = packed == 1 ? bits[d] : bits[d] & 15 | (bits[d + 1] & 15) << 4;
          to[layout.at(at[0], at[1], h) + d / packed] = element;
        }
      }
    }

    /** So few bits that its product with a scale is exact. */
    private float coarse(float value) {
      return Rounding.round(DType.BFLOAT16, value);
    }
  }

  /** What coverage counts of it. */
  static void features(Cache cache, Map<String, String> to) {
    if (cache == null) {
      return;
    }
    to.put("cacheType", cache.type.name());
    to.put(
        "pages",
        !cache.hasPages()
            ? "none"
            : cache.pageSize == 1
                ? "1"
                : cache.pageSize < 16 ? "2-8" : cache.pageSize < 128 ? "16-64" : "128+");
    to.put("scales", cache.scales.name());
    to.put("latent", cache.latent ? "on" : "off");
    to.put("tree", !cache.tree ? "off" : cache.treePerBatch ? "batch" : "shared");
  }

  @Override
  public String toString() {
    return " cache=%s/%s%s%s%s"
        .formatted(
            type,
            hasPages() ? "pages of " + pageSize : "rows",
            scales == Scales.NONE ? "" : " scales=" + scales,
            tree ? " tree" : "",
            latent ? " latent" : "");
  }
}
