package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.append.AppendCase.Content;
import dev.fovea.testkit.append.AppendCase.Order;
import dev.fovea.testkit.append.AppendSizes.Lengths;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes an {@link AppendCase} from as few words as a test needs. Defaults: float32, one sequence of
 * 3 new rows behind 2 others, two heads of 8 columns with values alike, in one dense tensor with
 * room for one more row, nothing rotated.
 */
public final class CaseBuilder {

  /** What elements are multiplied by. */
  public enum Scales {
    NONE,
    ROWS,
    /** One for a page, or a sequence without pages. */
    SHARED
  }

  /** Whose a table is, or positions, where there are several sequences. */
  public enum Sharing {
    /** All have one. */
    ONE,
    /** Each has its own. */
    EACH,
    /** All have one, as if each had its own: a stride of 0. */
    REPEATED
  }

  DType dtype = DType.FLOAT32;
  DType cache; // null: the same
  int heads = 2;
  int headDim = 8;
  int valueHeadDim = 8;
  int[] starts = {2};
  int[] rows = {3};
  Lengths lengths = Lengths.FULL;
  int spareLength; // of S
  int room = 1; // rows that the longest sequence may still have
  int pageSize;
  int spareColumns;
  int sparePages;
  int pairs;
  boolean interleaved;
  int sparePositions;
  Sharing cosines = Sharing.ONE;
  Sharing sines = Sharing.ONE;
  Sharing positions; // null: none
  Order order = Order.ANY;
  Scales keyScales = Scales.NONE;
  Scales valueScales = Scales.NONE;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  final Map<String, MatrixStyle> matrices = new HashMap<>();
  private final Map<String, Style> styles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** Of key and value, and of the cache. */
  public CaseBuilder dtype(DType type, DType ofCache) {
    dtype = type;
    cache = ofCache;
    return this;
  }

  /** Hk, D and Dv, 0 for no values. */
  public CaseBuilder heads(int count, int keyColumns, int valueColumns) {
    heads = count;
    headDim = keyColumns;
    valueHeadDim = valueColumns;
    return this;
  }

  /** How many rows sequences have before, one number for each. */
  public CaseBuilder starts(int... before) {
    starts = before;
    return this;
  }

  /** How many new ones, one number for each, and how they are given. */
  public CaseBuilder rows(Lengths how, int... added) {
    lengths = how;
    rows = added;
    return this;
  }

  /** Rows of the cache behind the longest sequence. */
  public CaseBuilder room(int left) {
    room = left;
    return this;
  }

  /** Z: the cache lies in pages of so many rows. */
  public CaseBuilder pages(int size) {
    pageSize = size;
    return this;
  }

  /** C pairs of each key are rotated. */
  public CaseBuilder rotated(int ofPairs, boolean neighbours) {
    pairs = ofPairs;
    interleaved = neighbours;
    return this;
  }

  /** Whose the tables are. */
  public CaseBuilder sharing(Sharing ofTables) {
    cosines = ofTables;
    sines = ofTables;
    return this;
  }

  /** Whose the positions are, and which. */
  public CaseBuilder positions(Sharing sharing, Order which) {
    positions = sharing;
    order = which;
    return this;
  }

  /** Scales of keys, and of values. */
  public CaseBuilder scales(Scales ofKeys, Scales ofValues) {
    keyScales = ofKeys;
    valueScales = ofValues;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of key, value, key_cache or value_cache; dense unless set. */
  public CaseBuilder style(String operand, Style style) {
    styles.put(operand, style);
    return this;
  }

  /** Memory of tables, positions, block_table or scales; dense unless set. */
  public CaseBuilder style(String operand, MatrixStyle style) {
    matrices.put(operand, style);
    return this;
  }

  /** The end of every buffer that touches forbidden memory. */
  public CaseBuilder guard(Side side) {
    guard = side;
    return this;
  }

  /** Workers asked for. */
  public CaseBuilder parallelism(int workers) {
    parallelism = workers;
    return this;
  }

  /** Elements of the cache that a case would have. */
  double cacheElements() {
    int batch = starts.length;
    // A sequence has new rows in part of two pages at least.
    double tokens =
        pageSize == 0
            ? (double) batch * longest()
            : Arrays.stream(rows).sum() + (2.0 * batch + sparePages) * pageSize;
    return tokens * heads * (headDim + valueHeadDim);
  }

  private int longest() {
    int longest = 0;
    for (int b = 0; b < starts.length; b++) {
      longest = Math.max(longest, starts[b] + rows[b]);
    }
    return longest + room;
  }

  /** The finished case. */
  public AppendCase build() {
    AppendSizes s = sizes();
    DType cacheType = cache == null ? dtype : cache;
    Map<String, Layout> layouts = new LinkedHashMap<>();
    put(layouts, "key", s, s.headDim());
    if (s.valueHeadDim() > 0) {
      put(layouts, "value", s, s.valueHeadDim());
    }
    layouts.put("starts", Layout.withStrides(0, new long[0], s.batch()));
    if (s.pairs() > 0) {
      layouts.put("cosines", table(s, "cosines", cosines));
      layouts.put("sines", table(s, "sines", sines));
      if (positions != null) {
        layouts.put("positions", positions(s));
      }
    }
    if (s.paged()) {
      layouts.put("block_table", matrix("block_table", s.batch(), s.pageColumns()));
    }
    long blocks = s.paged() ? s.pageCount() : s.batch();
    long rowsOfBlock = s.paged() ? s.pageSize() : s.cacheLength();
    int each = cacheType.packedValues();
    cache(layouts, "key_cache", blocks, rowsOfBlock, s.headDim() / each);
    if (s.valueHeadDim() > 0) {
      cache(layouts, "value_cache", blocks, rowsOfBlock, s.valueHeadDim() / each);
    }
    if (cacheType.byteSize() == 1) {
      scales(layouts, "key_scales", keyScales, blocks, rowsOfBlock);
      if (s.valueHeadDim() > 0) {
        scales(layouts, "value_scales", valueScales, blocks, rowsOfBlock);
      }
    }
    return new AppendCase(
        s,
        dtype,
        cacheType,
        s.pairs() > 0 && interleaved,
        order,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        repeat);
  }

  private AppendSizes sizes() {
    int batch = starts.length;
    int most = Arrays.stream(rows).max().orElse(0);
    int longest = longest();
    int columns = pageSize == 0 ? 0 : (longest + pageSize - 1) / pageSize + spareColumns;
    int[] table = new int[batch * columns];
    int pages = pageSize == 0 ? 0 : allot(table, columns);
    boolean rotates = pairs > 0;
    int last = 0;
    for (int b = 0; b < batch; b++) {
      last = Math.max(last, rows[b] == 0 ? 0 : starts[b] + rows[b]);
    }
    int positionCount = !rotates ? 0 : positions == null ? last + sparePositions : sparePositions;
    return new AppendSizes(
        batch,
        most + (lengths == Lengths.FULL ? 0 : spareLength),
        heads,
        headDim,
        valueHeadDim,
        longest,
        pages,
        pageSize,
        columns,
        pairs,
        rotates ? Math.max(1, positionCount) : 0,
        lengths,
        starts,
        rows,
        table);
  }

  /** Pages of their own for what sequences write, in any order; garbage for all the rest. */
  private int allot(int[] table, int columns) {
    Gaussian random = new Gaussian(Gaussian.mix(dataSeed * 16 + 15));
    for (int i = 0; i < table.length; i++) {
      table[i] = random.pick(-1, Integer.MIN_VALUE + 1, 1 << 30, random.nextInt(1 << 20) - 1000);
    }
    int needed = 0;
    for (int b = 0; b < starts.length; b++) {
      needed += rows[b] == 0 ? 0 : (starts[b] + rows[b] - 1) / pageSize - starts[b] / pageSize + 1;
    }
    int pages = needed + sparePages;
    int[] shuffled = new int[pages];
    for (int i = 0; i < pages; i++) {
      int other = random.nextInt(i + 1);
      shuffled[i] = shuffled[other];
      shuffled[other] = i;
    }
    int next = 0;
    for (int b = 0; b < starts.length; b++) {
      int end = rows[b] == 0 ? 0 : (starts[b] + rows[b] - 1) / pageSize + 1;
      for (int column = starts[b] / pageSize; column < end; column++) {
        table[b * columns + column] = shuffled[next++];
      }
    }
    return pages;
  }

  private void put(Map<String, Layout> layouts, String operand, AppendSizes s, int columns) {
    Style style = styles.getOrDefault(operand, Style.DENSE);
    layouts.put(
        operand,
        s.packed()
            ? style.layout(1, s.total(), s.heads(), columns)
            : style.layout(s.batch(), s.length(), s.heads(), columns));
  }

  private void cache(
      Map<String, Layout> layouts, String operand, long blocks, long ofBlock, int columns) {
    Style style = styles.getOrDefault(operand, Style.DENSE);
    layouts.put(operand, style.layout(blocks, ofBlock, heads, columns));
  }

  private void scales(
      Map<String, Layout> layouts, String operand, Scales scales, long blocks, long ofBlock) {
    if (scales != Scales.NONE) {
      MatrixStyle style = matrices.getOrDefault(operand, MatrixStyle.DENSE);
      layouts.put(operand, style.layout(blocks, scales == Scales.ROWS ? ofBlock : 1, heads));
    }
  }

  private Layout table(AppendSizes s, String operand, Sharing sharing) {
    MatrixStyle style = matrices.getOrDefault(operand, MatrixStyle.DENSE);
    int tables = sharing == Sharing.ONE ? 1 : s.batch();
    Layout layout = style.layout(tables, s.positionCount(), s.pairs());
    return sharing == Sharing.REPEATED ? layout.broadcast(0) : layout;
  }

  private Layout positions(AppendSizes s) {
    if (s.packed()) {
      return matrix("positions", 1, s.total());
    }
    int own = positions == Sharing.ONE ? 1 : s.batch();
    Layout layout = matrix("positions", own, s.length());
    return positions == Sharing.REPEATED ? layout.broadcast(0) : layout;
  }

  private Layout matrix(String operand, int outer, int inner) {
    MatrixStyle style = matrices.getOrDefault(operand, MatrixStyle.DENSE);
    Layout layout =
        Layout.withStrides(style.offset(), new long[] {inner + style.gap()}, outer, inner);
    return style.absurd() ? layout.withAbsurdStrides() : layout;
  }
}
