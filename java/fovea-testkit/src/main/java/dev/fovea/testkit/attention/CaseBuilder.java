package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.AttentionCase.Layouts;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import dev.fovea.testkit.attention.Options.QueryScales;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Makes an {@link AttentionCase} from as few words as a test needs. Defaults: float32, one sequence
 * of 4 queries and 4 keys, one head of 8 columns, dense, no options, lse asked for.
 */
public final class CaseBuilder {

  DType dtype = DType.FLOAT32;
  DType outDType;
  QueryScales queryScales = QueryScales.NONE;
  boolean queryScalesExpanded;
  int batch = 1;
  int queryLength = 4;
  int keyLength = 4;
  int queryHeads = 1;
  int keyHeads = 1;
  int headDim = 8;
  int valueHeadDim;
  boolean packed;
  int[] queryLengths;
  int[] keyLengths;
  int[] keyRooms;
  boolean causal;
  boolean topLeft;
  long windowLeft = -1;
  long windowRight = -1;
  Float scale;
  float softcap;
  Positions positions = Positions.NONE;
  Bias bias = Bias.NONE;
  DType biasDType;
  boolean biasExpanded;
  Bias mask = Bias.NONE;
  Relative relative;
  Blocks blocks;
  ImageWindow imageWindow;
  Modifier modifier;
  boolean modifierShared;
  Alibi alibi = Alibi.NONE;
  final List<RowOperand> rows = new ArrayList<>();
  Gates gates = Gates.NONE;
  boolean sinks;
  float dropout;
  long seed;
  int offset;
  boolean lse = true;
  boolean weights;
  int top;
  boolean allowTf32;
  Cache cache;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  boolean plain; // of what the fastest kernels take
  String repeat = "hand-written case";
  Style query = Style.DENSE;
  Style queryScaleStyle = Style.DENSE;
  Style key = Style.DENSE;
  Style value = Style.DENSE;
  Style out = Style.DENSE;
  Style lseStyle = Style.DENSE;
  Style weightsStyle = Style.DENSE;
  Style topStyle = Style.DENSE;
  Style biasStyle = Style.DENSE;
  Style maskStyle = Style.DENSE;
  Style tableStyle = Style.DENSE;
  Style positionBiasStyle = Style.DENSE;
  Style positionKeyStyle = Style.DENSE;
  Style modifierStyle = Style.DENSE;
  Style alibiStyle = Style.DENSE;
  Style rowStyle = Style.DENSE;
  Style keyGateStyle = Style.DENSE;
  Style outputGateStyle = Style.DENSE;
  Style ungatedStyle = Style.DENSE;

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of query, key, value and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** Queries of e4m3, keys and values in such a cache, out of float32 unless asked otherwise. */
  public CaseBuilder float8(QueryScales scales, Cache those) {
    queryScales = scales;
    outDType = outDType == null ? DType.FLOAT32 : outDType;
    return dtype(DType.FLOAT8_E4M3).cache(those);
  }

  /** Sequences, queries and keys of each. */
  public CaseBuilder lengths(int batch, int queryLength, int keyLength) {
    this.batch = batch;
    this.queryLength = queryLength;
    this.keyLength = keyLength;
    return this;
  }

  /** Query heads and key/value heads. */
  public CaseBuilder heads(int queryHeads, int keyHeads) {
    this.queryHeads = queryHeads;
    this.keyHeads = keyHeads;
    return this;
  }

  /** D = Dv. */
  public CaseBuilder headDim(int d) {
    return headDim(d, d);
  }

  /** D and Dv. */
  public CaseBuilder headDim(int d, int dv) {
    headDim = d;
    valueHeadDim = dv;
    return this;
  }

  /** Real lengths of padded sequences; null: all full. */
  public CaseBuilder ragged(int[] queryLengths, int[] keyLengths) {
    this.queryLengths = queryLengths;
    this.keyLengths = keyLengths;
    return this;
  }

  /** Sequences end to end; sets the batch and the longest lengths. */
  public CaseBuilder packed(int[] queryLengths, int[] keyLengths) {
    packed = true;
    keyRooms = null;
    ragged(queryLengths, keyLengths);
    int longestQ = Arrays.stream(queryLengths).max().orElse(0);
    int longestK = Arrays.stream(keyLengths).max().orElse(0);
    return lengths(queryLengths.length, longestQ, longestK);
  }

  /** Packed key sequences that fill only the first of their rows; after {@link #packed}. */
  public CaseBuilder keyRooms(int[] rooms) {
    keyRooms = rooms;
    return lengths(batch, queryLength, Math.max(keyLength, Arrays.stream(rooms).max().orElse(0)));
  }

  /** Causal, aligned to the last key. */
  public CaseBuilder causal() {
    causal = true;
    return this;
  }

  /** Positions count from the first key. */
  public CaseBuilder topLeft() {
    topLeft = true;
    return this;
  }

  /** Keys seen on each side of the position; -1: all. */
  public CaseBuilder window(long left, long right) {
    windowLeft = left;
    windowRight = right;
    return this;
  }

  /** Factor of the scores. */
  public CaseBuilder scale(float factor) {
    scale = factor;
    return this;
  }

  /** Bound of the scores. */
  public CaseBuilder softcap(float cap) {
    softcap = cap;
    return this;
  }

  /** What joins the products of queries and keys. */
  public CaseBuilder positions(Positions those) {
    positions = those;
    return this;
  }

  /** A bias of that shape and type. */
  public CaseBuilder bias(Bias shape, DType type) {
    bias = shape;
    biasDType = shape == Bias.NONE ? null : type;
    return this;
  }

  /** A mask of that shape, which is an operand. */
  public CaseBuilder mask(Bias shape) {
    mask = shape;
    return this;
  }

  /** What is added by distance. */
  public CaseBuilder relative(Relative to) {
    relative = to;
    return this;
  }

  /** A block mask. */
  public CaseBuilder blocks(Blocks lists) {
    blocks = lists;
    return this;
  }

  /** A window of two dimensions. */
  public CaseBuilder imageWindow(ImageWindow window) {
    imageWindow = window;
    return this;
  }

  /** A score modifier, with a table of each head. */
  public CaseBuilder modifier(Modifier which) {
    modifier = which;
    return this;
  }

  /** Slopes of that shape. */
  public CaseBuilder alibi(Alibi shape) {
    alibi = shape;
    return this;
  }

  /** An operand with one element for a query row; once for each kind. */
  public CaseBuilder row(RowOperand operand) {
    rows.add(operand);
    return this;
  }

  /** Gates of keys and of out. */
  public CaseBuilder gates(Gates those) {
    gates = those;
    return this;
  }

  /** One sink per head. */
  public CaseBuilder sinks() {
    sinks = true;
    return this;
  }

  /** Dropout with the random numbers of this seed and offset. */
  public CaseBuilder dropout(float probability, long seed, int offset) {
    dropout = probability;
    this.seed = seed;
    this.offset = offset;
    return this;
  }

  /** Whether lse and weights are written. */
  public CaseBuilder outputs(boolean lse, boolean weights) {
    this.lse = lse;
    this.weights = weights;
    top = weights ? top : 0;
    return this;
  }

  /** How many of the largest weights of a query are listed, beside all of them. */
  public CaseBuilder top(int count) {
    top = count;
    weights = true;
    return this;
  }

  /** Products of float32 may round their factors. */
  public CaseBuilder allowTf32() {
    allowTf32 = true;
    return this;
  }

  /** Keys and values in a cache. */
  public CaseBuilder cache(Cache those) {
    cache = those;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of query, key, value and out. */
  public CaseBuilder styles(Style query, Style key, Style value, Style out) {
    this.query = query;
    this.key = key;
    this.value = value;
    this.out = out;
    return this;
  }

  /** The exact end of every buffer. */
  public CaseBuilder guard(Side side) {
    guard = side;
    return this;
  }

  /** Workers asked for. */
  public CaseBuilder parallelism(int workers) {
    parallelism = workers;
    return this;
  }

  /** The finished case. */
  public AttentionCase build() {
    int dv = valueHeadDim == 0 ? headDim : valueHeadDim;
    Geometry g =
        new Geometry(
            batch,
            queryLength,
            keyLength,
            queryHeads,
            keyHeads,
            headDim,
            dv,
            packed,
            queryLengths == null ? null : queryLengths.clone(),
            keyLengths == null ? null : keyLengths.clone(),
            keyRooms == null ? null : keyRooms.clone());
    Options options =
        new Options(
            dtype,
            outDType == null ? dtype : outDType,
            queryScales,
            causal,
            topLeft,
            windowLeft,
            windowRight,
            scale,
            softcap,
            positions,
            bias,
            biasDType,
            mask,
            relative,
            blocks,
            imageWindow,
            modifier,
            alibi,
            List.copyOf(rows),
            gates,
            sinks,
            dropout,
            seed,
            offset,
            lse,
            weights,
            top,
            allowTf32);
    return new AttentionCase(
        g, options, layouts(g, options), cache, content, dataSeed, guard, parallelism, repeat);
  }

  private Layouts layouts(Geometry g, Options options) {
    int outer = g.outerBatch();
    int rows = g.queryRows();
    return new Layouts(
        query.layout(outer, rows, queryHeads, headDim),
        queryScales == QueryScales.NONE ? null : queryScaleLayout(),
        key.layout(outer, g.keyRows(), keyHeads, headDim),
        value.layout(outer, g.keyRows(), keyHeads, g.valueHeadDim()),
        out.layout(outer, rows, queryHeads, g.valueHeadDim()),
        lse ? lseStyle.layout(outer, queryHeads, 1, rows) : null,
        weights ? weightsStyle.layout(outer, queryHeads, rows, keyLength) : null,
        top > 0 ? topStyle.layout(outer, queryHeads, rows, top) : null,
        top > 0 ? weightsStyle.layout(outer, queryHeads, rows, top) : null,
        bias == Bias.NONE ? null : biasLayout(outer, rows),
        mask == Bias.NONE ? null : maskLayout(outer, rows),
        Positions.biasLayout(positions.contentBias(), positionBiasStyle, g),
        Positions.biasLayout(positions.positionBias(), positionBiasStyle, g),
        positions.keyLayout(positionKeyStyle, g, options.visibility()),
        relative == null ? null : relative.layout(tableStyle, g),
        modifier == null
            ? null
            : modifierStyle.layout(1, modifierShared ? 1 : queryHeads, Modifier.COLUMNS, 1),
        alibi == Alibi.NONE
            ? null
            : alibiStyle.layout(alibi == Alibi.PER_HEAD ? 1 : batch, queryHeads, 1, 1),
        gates.keyLayout(keyGateStyle, g),
        gates.outputLayout(outputGateStyle, g),
        gates.ungated() ? ungatedStyle.layout(outer, rows, queryHeads, g.valueHeadDim()) : null,
        this.rows.stream().map(it -> it.layout(rowStyle, g)).toList());
  }

  private Layout queryScaleLayout() {
    Layout small =
        queryScaleStyle.layout(
            queryScales.perBatch ? batch : 1, queryScales.perHead ? keyHeads : 1, 1, 1);
    return queryScalesExpanded ? expanded(small, batch, keyHeads, 1, 1) : small;
  }

  private Layout maskLayout(int outer, int rows) {
    return maskStyle.layout(
        mask.perBatch ? outer : 1,
        mask.perHead ? queryHeads : 1,
        mask.perQuery ? rows : 1,
        keyLength);
  }

  private Layout biasLayout(int outer, int rows) {
    boolean batches = bias.perBatch || packed;
    boolean positions = bias.perQuery || packed;
    Layout small =
        biasStyle.layout(
            batches ? outer : 1, bias.perHead ? queryHeads : 1, positions ? rows : 1, keyLength);
    return biasExpanded ? expanded(small, outer, queryHeads, rows, keyLength) : small;
  }

  /** The other way to say "broadcast": full size, stride 0. */
  private static Layout expanded(Layout small, long... full) {
    long[] stride = small.stride().clone();
    for (int i = 0; i < 3; i++) {
      if (small.size()[i] == 1) {
        stride[i] = 0;
      }
    }
    return Layout.withStrides(small.offset(), stride, full);
  }
}
