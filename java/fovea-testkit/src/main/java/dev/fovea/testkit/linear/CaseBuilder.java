package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.linear.LinearCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes a {@link LinearCase} from as few words as a test needs. Defaults: float32, the forward
 * pass, one sequence of 4 queries and 4 keys, one head of 8 columns, dense, causal, features as
 * they are, not normalised, no decays, no beta, no state.
 */
public final class CaseBuilder {

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
  boolean causal = true;
  boolean normalised;
  FeatureMap featureMap = FeatureMap.IDENTITY;
  Float scale;
  DType decay; // null: none, here and below
  boolean sharedDecay;
  DType keyDecay;
  DType beta;
  boolean initialState;
  boolean finalState;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  boolean ddecay = true;
  boolean dkeyDecay = true;
  boolean dbeta = true;
  boolean dinitialState = true;
  private final Map<String, Style> styles = new HashMap<>();

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

  /** Whether a query reads the state at its position. */
  public CaseBuilder causal(boolean causal) {
    this.causal = causal;
    return this;
  }

  /** Features, and whether out is normalised. */
  public CaseBuilder features(FeatureMap map, boolean normalised) {
    featureMap = map;
    this.normalised = normalised;
    return this;
  }

  /** What out is multiplied by. */
  public CaseBuilder scale(float scale) {
    this.scale = scale;
    return this;
  }

  /** Types of decay, keyDecay and beta; null: none. */
  public CaseBuilder rules(DType decay, DType keyDecay, DType beta) {
    this.decay = decay;
    this.keyDecay = keyDecay;
    this.beta = beta;
    return this;
  }

  /** One decay of a head for all sequences and positions. */
  public CaseBuilder sharedDecay() {
    sharedDecay = true;
    return this;
  }

  /** Whether a state is given, and asked for; where out is normalised, sums too. */
  public CaseBuilder states(boolean initial, boolean last) {
    initialState = initial;
    finalState = last;
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
  public LinearCase build() {
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
            dtype, outDType == null ? dtype : outDType, causal, normalised, featureMap, scale);
    Map<String, DType> types = new LinkedHashMap<>();
    putType(types, "decay", decay);
    putType(types, "key_decay", keyDecay);
    putType(types, "beta", beta);
    Gradients asked =
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate);
    return new LinearCase(
        g, options, layouts(g), types, content, dataSeed, guard, parallelism, asked, repeat);
  }

  private static void putType(Map<String, DType> types, String operand, DType type) {
    if (type != null) {
      types.put(operand, type);
    }
  }

  private Map<String, Layout> layouts(Geometry g) {
    Map<String, Layout> all = new LinkedHashMap<>();
    int outer = g.outerBatch();
    long[] queries = {outer, g.queryRows(), queryHeads, headDim};
    long[] keys = {outer, g.keyRows(), keyHeads, headDim};
    long[] values = {outer, g.keyRows(), keyHeads, valueHeadDim};
    long[] outs = {outer, g.queryRows(), queryHeads, valueHeadDim};
    long[] numbers = {outer, g.keyRows(), keyHeads, 1};
    // A packed batch has no dimensions to leave out.
    long[] decays = sharedDecay && !packed ? new long[] {1, 1, keyHeads, 1} : numbers;
    long[] state = {batch, keyHeads, headDim, valueHeadDim};
    long[] sum = {batch, keyHeads, 1, headDim};
    put(all, "query", queries);
    put(all, "key", keys);
    put(all, "value", values);
    putIf(decay != null, all, "decay", decays);
    putIf(keyDecay != null, all, "key_decay", keys);
    putIf(beta != null, all, "beta", numbers);
    putIf(initialState, all, "initial_state", state);
    putIf(initialState && normalised, all, "initial_sum", sum);
    put(all, "out", outs);
    if (gradients == null) {
      putIf(finalState, all, "final_state", state);
      putIf(finalState && normalised, all, "final_sum", sum);
      return all;
    }
    put(all, "dout", outs);
    put(all, "dquery", queries);
    put(all, "dkey", keys);
    put(all, "dvalue", values);
    putIf(decay != null && ddecay, all, "ddecay", decays);
    putIf(keyDecay != null && dkeyDecay, all, "dkey_decay", keys);
    putIf(beta != null && dbeta, all, "dbeta", numbers);
    putIf(initialState && dinitialState, all, "dinitial_state", state);
    putIf(initialState && dinitialState && normalised, all, "dinitial_sum", sum);
    return all;
  }

  private void putIf(boolean there, Map<String, Layout> all, String operand, long... size) {
    if (there) {
      put(all, operand, size);
    }
  }

  private void put(Map<String, Layout> all, String operand, long... size) {
    Layout layout = styles.getOrDefault(operand, Style.DENSE).layout(size);
    boolean broadcast = operand.equals("decay") && sharedDecay && packed;
    all.put(operand, broadcast ? layout.broadcast(1) : layout);
  }
}
