package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An append in float32, rounding by rounding in the order of fovea.h: what every backend must give
 * bit for bit, but for what a NaN carries. Java rounds each operation to nearest, and fuses none.
 */
public final class Rounded {

  private static final float LEAST_SCALE = 0x1p-126f;

  private final AppendCase c;
  private final Operands data;
  private final Map<String, Expected> all;

  private Rounded(AppendCase c, Operands data, Map<String, Expected> all) {
    this.c = c;
    this.data = data;
    this.all = all;
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(AppendCase c, Operands data) {
    Map<String, Expected> all = new LinkedHashMap<>();
    for (String name : List.of("key_cache", "value_cache", "key_scales", "value_scales")) {
      if (c.has(name)) {
        DType type = name.endsWith("_cache") ? c.cacheDType() : DType.FLOAT32;
        Expected expected = new Expected(type, c.layout(name).elements());
        float[] before = data.get(name);
        for (int i = 0; before != null && i < before.length; i++) {
          if (!Float.isNaN(before[i])) {
            expected.expect(i, before[i], 0);
          }
        }
        all.put(name, expected);
      }
    }
    Rounded rounded = new Rounded(c, data, all);
    for (String of : List.of("key", "value")) {
      if (c.has(of)) {
        rounded.append(of);
      }
    }
    return all;
  }

  private void append(String of) {
    AppendSizes s = c.sizes();
    for (int b = 0; b < s.batch(); b++) {
      int start = s.starts()[b];
      for (int h = 0; h < s.heads(); h++) {
        for (int row = start; row < start + s.rows()[b]; row = c.endOfScale(of, b, row)) {
          store(of, b, h, row, c.endOfScale(of, b, row));
        }
      }
    }
  }

  /** Rows of the cache that have one scale, or none. */
  private void store(String of, int b, int h, int first, int end) {
    int start = c.sizes().starts()[b];
    float factor = c.has(of + "_scales") ? scale(of, b, h, first, end) : 1;
    Expected cache = all.get(of + "_cache");
    for (int row = first; row < end; row++) {
      float[] values = row(c, data, of, b, row - start, h);
      int at = c.cacheAt(of, b, row, h);
      if (!c.isQuantized()) {
        for (int i = 0; i < values.length; i++) {
          cache.expect(at + i, Rounding.round(c.cacheDType(), values[i]), 0);
        }
        continue;
      }
      for (int i = 0; i < values.length; i++) {
        values[i] *= factor;
      }
      put(cache, at, values);
    }
  }

  private void put(Expected cache, int at, float[] values) {
    DType type = c.cacheDType();
    int each = type.packedValues();
    for (int i = 0; i < values.length; i += each) {
      int code = Quantization.quantize(type, values[i]);
      cache.expect(
          at + i / each,
          each == 1 ? code : code | Quantization.quantize(type, values[i + 1]) << 4,
          0);
    }
  }

  /** Sets the scale, and rows before that had another; returns what new ones are multiplied by. */
  private float scale(String of, int b, int h, int first, int end) {
    float largest = 0;
    for (int row = first; row < end; row++) {
      for (float value : row(c, data, of, b, row - c.sizes().starts()[b], h)) {
        // Either argument that is NaN gives NaN.
        largest = Math.max(largest, Float.isInfinite(value) ? Float.NaN : Math.abs(value));
      }
    }
    float scale =
        largest == 0
            ? 0
            : Math.max(largest / Quantization.most(c.cacheDType()), LEAST_SCALE); // or NaN
    int at = c.scaleAt(of, b, first, h);
    int begin = c.firstOfScale(of, b, first);
    if (c.sharesScale(of)) {
      scale = powerOf2(scale);
    }
    if (begin < first) {
      float earlier = data.get(of + "_scales")[at];
      if (Float.isNaN(earlier)) {
        all.get(of + "_scales").free(at, Float.NaN); // whatever NaN it was
        return Float.NaN;
      }
      scale = Float.isNaN(scale) ? scale : Math.max(scale, earlier);
      for (int row = begin; scale > earlier && row < first; row++) {
        requantize(of, c.cacheAt(of, b, row, h), earlier / scale);
      }
    }
    all.get(of + "_scales").expect(at, scale, 0);
    return scale == 0 ? 0 : 1 / scale;
  }

  /** The least that is not less. */
  private static float powerOf2(float x) {
    if (x == 0 || Float.isNaN(x)) {
      return x;
    }
    float power = Math.scalb(1f, Math.getExponent(x));
    return power < x ? 2 * power : power;
  }

  private void requantize(String of, int at, float ratio) {
    float[] values = new float[c.columns(of)];
    for (int i = 0; i < values.length; i++) {
      int code = Quantization.read(c.cacheDType(), data.get(of + "_cache"), at, i);
      values[i] = Quantization.value(c.cacheDType(), code) * ratio;
    }
    put(all.get(of + "_cache"), at, values);
  }

  /** A new row of a head as it is to be stored, but for scale and type. */
  private static float[] row(AppendCase c, Operands data, String of, int b, int s, int h) {
    float[] row = new float[c.columns(of)];
    System.arraycopy(data.get(of), c.at(of, b, s, h), row, 0, row.length);
    if (of.equals("key") && c.has("cosines")) {
      int position = data.position(c, b, s);
      int cosines = c.tableAt("cosines", b, position);
      int sines = c.tableAt("sines", b, position);
      for (int pair = 0; pair < c.sizes().pairs(); pair++) {
        float cosine = data.get("cosines")[cosines + pair];
        float sine = data.get("sines")[sines + pair];
        float first = row[c.first(pair)];
        float second = row[c.second(pair)];
        float ownOfFirst = cosine * first;
        float otherOfFirst = sine * second;
        float ownOfSecond = cosine * second;
        float otherOfSecond = sine * first;
        row[c.first(pair)] = ownOfFirst - otherOfFirst;
        row[c.second(pair)] = ownOfSecond + otherOfSecond;
      }
    }
    return row;
  }
}
