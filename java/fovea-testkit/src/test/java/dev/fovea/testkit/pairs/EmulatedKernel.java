package dev.fovea.testkit.pairs;

import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Visibility;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Either operation as a plain float32 kernel computes it, term by term, with a bug if asked: what
 * the bounds must let pass, and what they must not.
 */
final class EmulatedKernel {

  /** What a kernel may do wrong. */
  enum Bug {
    NONE,
    /** The last visible key of every eighth row is not seen. */
    DROPPED_KEY,
    LOST_BIAS,
    /** Query head h reads key head h mod Hk. */
    WRONG_GROUP,
    /** The keys of a causal row end one earlier, or a window's begin one later. */
    MASK_OFF_BY_ONE,
    /** Dropout draws of the next offset. */
    OTHER_DRAWS,
    /** A later maximum does not rescale the sums so far. */
    LOST_RESCALE,
    /** The bandwidth of the first head for all. */
    OTHER_BANDWIDTH,
    /** |q|^2 + |k|^2 - 2 <q, k>. */
    EXPANDED_SQUARE,
    /** Backward: 1 + t^2; k - q for q - k in dkey. */
    SLOPE_SIGN,
    /** Backward: ds without delta. */
    LOST_DELTA,
    /** Backward: dweight or dbandwidth without the last query of each head. */
    LOST_ROW_OF_DWEIGHT,
    /** Backward: dkey of the first head of the group alone. */
    LOST_HEAD_OF_DKEY;

    /** False if that kind of operation cannot have it, or no data of a usual size shows it. */
    boolean showsIn(Kind kind) {
      return switch (this) {
        case NONE, EXPANDED_SQUARE -> false;
        case LOST_BIAS -> kind == Kind.ADDITIVE;
        case OTHER_BANDWIDTH -> kind == Kind.DISTANCE;
        default -> true;
      };
    }
  }

  /** Squares that are summed at a time. */
  private static final int PART = 64;

  private final PairCase c;
  private final Operands data;
  private final Bug bug;
  private final Geometry g;
  private final int[] cuQ;
  private final int[] cuK;
  private final Map<String, float[]> outputs = new HashMap<>();
  private final float[] tanh;
  private final float[] slopes; // 1 - tanh^2, right to a few ulp where tanh is near 1, too
  private final float[] scores;
  private final boolean[] keep;
  private final float dropFactor;
  private int begin;
  private int count;

  private EmulatedKernel(PairCase c, Operands data, Bug bug) {
    this.c = c;
    this.data = data;
    this.bug = bug;
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    tanh = new float[g.keyLength() * g.headDim()];
    slopes = new float[tanh.length];
    scores = new float[g.keyLength()];
    keep = new boolean[g.keyLength()];
    dropFactor = (float) c.options().dropFactor();
  }

  /** What the comparison says of the kernel's results. */
  static String verdict(PairCase c, Bug bug) {
    Operands data = Operands.of(c);
    return verdict(c, data, bug, c.expected(data));
  }

  static String verdict(PairCase c, Operands data, Bug bug, Map<String, Expected> expected) {
    EmulatedKernel kernel = new EmulatedKernel(c, data, bug);
    kernel.run(expected);
    for (Map.Entry<String, Expected> each : expected.entrySet()) {
      String wrong = compare(each.getKey(), kernel.outputs.get(each.getKey()), each.getValue());
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  private static String compare(String name, float[] results, Expected expected) {
    try (Arena arena = Arena.ofConfined()) {
      int size = Rounding.bytes(expected.dtype());
      MemorySegment memory = arena.allocate(Math.max(1, (long) size * results.length), 4);
      int[] bits = Rounding.canaries(expected.dtype(), results.length);
      for (int i = 0; i < results.length; i++) {
        if (expected.state(i) != Expected.UNTOUCHED) {
          float rounded = Rounding.round(expected.dtype(), results[i]);
          bits[i] = Rounding.bits(expected.dtype(), rounded);
        }
      }
      Rounding.writeBits(memory, expected.dtype(), bits);
      return Comparison.compare(name, memory, expected);
    }
  }

  private void run(Map<String, Expected> expected) {
    expected.forEach((name, output) -> outputs.put(name, new float[output.elements()]));
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < (g.packed() ? g.lenQ(b) : g.queryLength()); i++) {
          if (i < g.lenQ(b)) {
            score(b, h, i);
          } else {
            count = 0;
          }
          if (c.isBackward()) {
            backward(b, h, i);
          } else {
            forward(b, h, i);
          }
        }
      }
    }
    for (String name : outputs.keySet()) {
      float[] before = data.get(name);
      for (int i = 0; before != null && i < before.length; i++) {
        outputs.get(name)[i] += before[i];
      }
    }
  }

  private int row(String name, boolean keys, int b, int i, int h) {
    return g.rowIndex(c.layout(name), keys ? cuK : cuQ, b, i, h);
  }

  private int keyHead(int h) {
    return bug == Bug.WRONG_GROUP ? h % g.keyHeads() : h / g.group();
  }

  private void score(int b, int h, int i) {
    Visibility v = c.options().visibility();
    begin = v.begin(g, b, i);
    int end = v.end(g, b, i);
    if (bug == Bug.MASK_OFF_BY_ONE && v.causal()) {
      end--;
    } else if (bug == Bug.MASK_OFF_BY_ONE && v.windowLeft() >= 0) {
      begin++;
    }
    if (bug == Bug.DROPPED_KEY && i % 8 == 0) {
      end--;
    }
    count = Math.max(0, end - begin);
    for (int j = 0; j < count; j++) {
      int query = row("query", false, b, i, h);
      int key = row("key", true, b, begin + j, keyHead(h));
      scores[j] = c.kind() == Kind.ADDITIVE ? additive(h, j, query, key) : distance(h, query, key);
    }
    Options o = c.options();
    if (o.dropout() > 0 && count > 0) {
      int offset = bug == Bug.OTHER_DRAWS ? o.offset() + 1 : o.offset();
      int threshold = Philox.threshold(o.dropout());
      int head = b * g.queryHeads() + h;
      Philox.keep(keep, begin, begin + count, i, head, o.seed(), offset, threshold);
    }
  }

  private float additive(int h, int j, int query, int key) {
    int weight = c.layout("weight").at(h, 0, 0);
    Layout bias = bug == Bug.LOST_BIAS ? null : c.layout("bias");
    float[] queries = data.get("query");
    float[] keys = data.get("key");
    float[] weights = data.get("weight");
    float x = 0;
    for (int a = 0; a < g.headDim(); a++) {
      float shift = bias == null ? 0 : data.get("bias")[bias.at(h, 0, 0) + a];
      float u = queries[query + a] + shift + keys[key + a];
      float t = (float) Math.tanh(u);
      float power = (float) Math.exp(-2 * Math.abs(u));
      tanh[j * g.headDim() + a] = t;
      slopes[j * g.headDim() + a] = 4 * power / ((1 + power) * (1 + power));
      x += weights[weight + a] * t;
    }
    return x;
  }

  private float bandwidth(int h) {
    int head = bug == Bug.OTHER_BANDWIDTH ? 0 : h;
    return data.get("bandwidth")[c.layout("bandwidth").at(0, 0, 0) + head];
  }

  private float inverse(int h) {
    return 1 / (bandwidth(h) * bandwidth(h));
  }

  private float distance(int h, int query, int key) {
    float[] queries = data.get("query");
    float[] keys = data.get("key");
    float total = 0;
    float squares = 0;
    float products = 0;
    for (int begin = 0; begin < g.headDim(); begin += PART) {
      float sum = 0;
      for (int a = begin; a < Math.min(g.headDim(), begin + PART); a++) {
        float q = queries[query + a];
        float k = keys[key + a];
        sum += (q - k) * (q - k);
        squares += q * q + k * k;
        products += q * k;
      }
      total += sum;
    }
    return -0.5f * inverse(h) * (bug == Bug.EXPANDED_SQUARE ? squares - 2 * products : total);
  }

  private float dropped(int j, float p) {
    return c.options().dropout() == 0 ? p : keep[j] ? p * dropFactor : 0;
  }

  private void forward(int b, int h, int i) {
    float[] values = data.get("value");
    float[] sums = new float[g.valueHeadDim()];
    float max = Float.NEGATIVE_INFINITY;
    float sum = 0;
    for (int j = 0; j < count; j++) {
      float larger = Math.max(max, scores[j]);
      float rescale = bug == Bug.LOST_RESCALE ? 1 : (float) Math.exp(max - larger);
      float p = (float) Math.exp(scores[j] - larger);
      max = larger;
      sum = sum * (j == 0 ? 0 : rescale) + p;
      int value = row("value", true, b, begin + j, keyHead(h));
      for (int d = 0; d < sums.length; d++) {
        sums[d] = sums[d] * (j == 0 ? 0 : rescale) + dropped(j, p) * values[value + d];
      }
    }
    float lse = count == 0 ? Float.NEGATIVE_INFINITY : max + (float) Math.log(sum);
    int out = row("out", false, b, i, h);
    for (int d = 0; d < sums.length; d++) {
      outputs.get("out")[out + d] = count == 0 ? 0 : sums[d] / sum;
    }
    if (c.has("lse")) {
      outputs.get("lse")[g.lseIndex(c.layout("lse"), cuQ, b, h, i)] = lse;
    }
    if (c.has("weights")) {
      Layout layout = c.layout("weights");
      int at = g.packed() ? layout.at(0, h, cuQ[b] + i) : layout.at(b, h, i);
      for (int j = 0; j < count; j++) {
        outputs.get("weights")[at + begin + j] = (float) Math.exp(scores[j] - lse);
      }
    }
  }

  private void backward(int b, int h, int i) {
    float lse = count == 0 ? 0 : data.get("lse")[g.lseIndex(c.layout("lse"), cuQ, b, h, i)];
    if (count == 0 || lse == Float.NEGATIVE_INFINITY) {
      return;
    }
    float[] values = data.get("value");
    float[] douts = data.get("dout");
    float[] outs = data.get("out");
    float[] dvalues = outputs.get("dvalue");
    int dout = row("dout", false, b, i, h);
    int out = row("out", false, b, i, h);
    float delta = 0;
    for (int d = 0; d < g.valueHeadDim() && bug != Bug.LOST_DELTA; d++) {
      delta += douts[dout + d] * outs[out + d];
    }
    for (int j = 0; j < count; j++) {
      float p = (float) Math.exp(scores[j] - lse);
      int value = row("value", true, b, begin + j, keyHead(h));
      int dvalue = row("dvalue", true, b, begin + j, keyHead(h));
      float product = 0;
      for (int d = 0; d < g.valueHeadDim(); d++) {
        product += douts[dout + d] * values[value + d];
        dvalues[dvalue + d] += dropped(j, p) * douts[dout + d];
      }
      addScore(b, h, i, j, dropped(j, p) * product - p * delta);
    }
  }

  private void addScore(int b, int h, int i, int j, float ds) {
    int dquery = row("dquery", false, b, i, h);
    int dkey = row("dkey", true, b, begin + j, keyHead(h));
    boolean lostKey = bug == Bug.LOST_HEAD_OF_DKEY && h % g.group() > 0;
    boolean lostRow = bug == Bug.LOST_ROW_OF_DWEIGHT && i == g.lenQ(b) - 1;
    boolean weighs = c.hasAny("dweight") && !lostRow;
    boolean shifts = c.hasAny("dbias");
    float[] dqueries = outputs.get("dquery");
    float[] dkeys = outputs.get("dkey");
    float[] queries = data.get("query");
    float[] keys = data.get("key");
    int query = row("query", false, b, i, h);
    int key = row("key", true, b, begin + j, keyHead(h));
    boolean additive = c.kind() == Kind.ADDITIVE;
    float factor = additive ? 0 : inverse(h);
    float[] weights = data.get("weight");
    int weight = additive ? c.layout("weight").at(h, 0, 0) : 0;
    for (int a = 0; a < g.headDim(); a++) {
      float du =
          ds
              * (additive
                  ? weights[weight + a] * slope(j, a)
                  : factor * (keys[key + a] - queries[query + a]));
      dqueries[dquery + a] += du;
      if (!lostKey) {
        dkeys[dkey + a] += additive || bug == Bug.SLOPE_SIGN ? du : -du;
      }
      if (weighs) {
        outputs.get("dweight")[c.layout("dweight").at(h, 0, 0) + a] +=
            ds * tanh[j * g.headDim() + a];
      }
      if (shifts) {
        outputs.get("dbias")[c.layout("dbias").at(h, 0, 0) + a] += du;
      }
    }
    if (c.hasAny("dbandwidth") && !lostRow) {
      outputs.get("dbandwidth")[c.layout("dbandwidth").at(0, 0, 0) + h] +=
          -2 / bandwidth(h) * ds * scores[j];
    }
  }

  private float slope(int j, int a) {
    float t = tanh[j * g.headDim() + a];
    return bug == Bug.SLOPE_SIGN ? 1 + t * t : slopes[j * g.headDim() + a];
  }
}
