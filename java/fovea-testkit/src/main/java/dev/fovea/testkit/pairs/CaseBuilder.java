package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.Visibility;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes a {@link PairCase} from as few words as a test needs. Defaults: float32, the forward pass,
 * one sequence of 4 queries and 4 keys, one head of 8 columns, dense, a bias, no mask, lse asked
 * for.
 */
public final class CaseBuilder {

  final Kind kind;
  DType dtype = DType.FLOAT32;
  DType outDType;
  int batch = 1;
  int queryLength = 4;
  int keyLength = 4;
  int queryHeads = 1;
  int keyHeads = 1;
  int headDim = 8;
  int valueHeadDim = 8;
  boolean packed;
  int[] queryLengths;
  int[] keyLengths;
  int[] keyRooms;
  boolean causal;
  boolean topLeft;
  long windowLeft = -1;
  long windowRight = -1;
  Float ridge; // null: a constant fit
  float dropout;
  long seed;
  int offset;
  boolean bias = true;
  boolean lse = true;
  boolean weights;
  int top;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  boolean dweight = true;
  boolean dbias = true;
  boolean dbandwidth = true;
  private final Map<String, Style> styles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder(Kind kind) {
    this.kind = kind;
  }

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

  /** A or D, and Dv. */
  public CaseBuilder headDim(int a, int dv) {
    headDim = a;
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

  /** Keys seen on each side of the position; -1: all. */
  public CaseBuilder window(long left, long right) {
    windowLeft = left;
    windowRight = right;
    return this;
  }

  /** A linear fit with that ridge, of distance attention. */
  public CaseBuilder localLinear(float ridge) {
    this.ridge = ridge;
    return this;
  }

  /** Dropout with the random numbers of this seed and offset. */
  public CaseBuilder dropout(float probability, long seed, int offset) {
    dropout = probability;
    this.seed = seed;
    this.offset = offset;
    return this;
  }

  /** Whether a bias is given, of additive attention. */
  public CaseBuilder bias(boolean given) {
    bias = given;
    return this;
  }

  /** Whether lse and weights are written. */
  public CaseBuilder outputs(boolean lse, boolean weights) {
    this.lse = lse;
    this.weights = weights;
    return this;
  }

  /** How many of the largest weights of a query are listed, beside all of them. */
  public CaseBuilder top(int count) {
    top = count;
    weights = true;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of an operand; dense unless set. */
  public CaseBuilder style(String operand, Style style) {
    styles.put(operand, style);
    return this;
  }

  /** The backward pass of the call, with gradients of that type. */
  public CaseBuilder backward(DType type) {
    gradients = type;
    return this;
  }

  /** Gradients are added to what is there. */
  public CaseBuilder accumulate() {
    accumulate = true;
    return this;
  }

  /** The finished case. */
  public PairCase build() {
    Geometry g =
        new Geometry(
            batch,
            queryLength,
            keyLength,
            queryHeads,
            keyHeads,
            headDim,
            valueHeadDim,
            packed,
            queryLengths == null ? null : queryLengths.clone(),
            keyLengths == null ? null : keyLengths.clone(),
            keyRooms == null ? null : keyRooms.clone());
    Options options =
        new Options(
            dtype,
            outDType == null ? dtype : outDType,
            new Visibility(causal, topLeft, windowLeft, windowRight),
            ridge,
            dropout,
            seed,
            offset);
    Gradients asked =
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate);
    return new PairCase(
        kind, g, options, layouts(g), content, dataSeed, guard, parallelism, asked, repeat);
  }

  private Map<String, Layout> layouts(Geometry g) {
    Map<String, Layout> all = new LinkedHashMap<>();
    int outer = g.outerBatch();
    long[] queries = {outer, g.queryRows(), queryHeads, headDim};
    long[] keys = {outer, g.keyRows(), keyHeads, headDim};
    long[] values = {outer, g.keyRows(), keyHeads, valueHeadDim};
    long[] outs = {outer, g.queryRows(), queryHeads, valueHeadDim};
    boolean additive = kind == Kind.ADDITIVE;
    long[] perHead =
        additive ? new long[] {queryHeads, 1, 1, headDim} : new long[] {1, 1, 1, queryHeads};
    put(all, "query", queries);
    put(all, "key", keys);
    put(all, "value", values);
    put(all, additive ? "weight" : "bandwidth", perHead);
    if (additive && bias) {
      put(all, "bias", perHead);
    }
    put(all, "out", outs);
    if (lse || gradients != null) {
      put(all, "lse", outer, queryHeads, 1, g.queryRows());
    }
    if (gradients == null) {
      if (weights) {
        put(all, "weights", outer, queryHeads, g.queryRows(), keyLength);
      }
      if (weights && top > 0) {
        put(all, "top_weights", outer, queryHeads, g.queryRows(), top);
        put(all, "top_keys", outer, queryHeads, g.queryRows(), top);
      }
      return all;
    }
    put(all, "dout", outs);
    put(all, "dquery", queries);
    put(all, "dkey", keys);
    put(all, "dvalue", values);
    if (additive ? dweight : dbandwidth) {
      put(all, additive ? "dweight" : "dbandwidth", perHead);
    }
    if (additive && bias && dbias) {
      put(all, "dbias", perHead);
    }
    return all;
  }

  private void put(Map<String, Layout> all, String operand, long... size) {
    all.put(operand, styles.getOrDefault(operand, Style.DENSE).layout(size));
  }
}
