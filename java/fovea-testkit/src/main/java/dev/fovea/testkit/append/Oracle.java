package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import java.util.List;
import java.util.Map;

/**
 * Naive appends in float64 over the exact values of the operands, by the formulas of fovea.h, with
 * the error that float32 arithmetic and elements of a few bits may make. Nothing here is shared
 * with any backend. Bits are more than a bound says: backends are held to {@link Rounded}, and
 * that, in every case, to this.
 *
 * <p>With u = 2^-24. A pair that is rotated errs by at most (2 + u) u (|p| + |q|) for its products
 * p and q, of which each is rounded and then their sum, and what is not a normal float32 by 2^-126
 * each. In a floating type the result is rounded once more.
 *
 * <p>A quantized element reads as scale * q. With a scale s, of a row whose largest magnitude is a:
 * s = a / M is rounded once, as are 1 / s and the product x * (1 / s), so that what is rounded to q
 * is off by at most 3.01 u |x| / s, for which |x| / s is at most M (1 + u). Rounding to q adds half
 * the distance of its neighbours: 1/2 for integers, and for e4m3 |q| / 16 at most, or 2^-10 below
 * 2^-6. Times s, which is where it is read:
 *
 * <pre>
 *   |s q - x| at most s / 2 + 4 u |x|                          integers
 *   |s q - x| at most max(|x| / 16, s / 1024) + 4 u |x|        e4m3
 * </pre>
 *
 * <p>Rows of a page have scales s_0 &lt; s_1 &lt; ... &lt; s_n one after the other, powers of two,
 * so that each is at most half of the next. An element that came with s_0 is rounded then, and
 * again to a multiple of each later one that its scale becomes. A change from s_i to s_(i+1)
 * multiplies q by their exact ratio, and rounds to an integer: an error of at most s_(i+1) / 2
 * where it is read. In all
 *
 * <pre>
 *   (s_0 + s_1 + ... + s_n) / 2 at most s_n / 2 (1 + 1/2 + 1/4 + ...), less than s_n
 * </pre>
 *
 * <p>({@link #pageError}), twice of what it would be if all had come at once. In e4m3 a power of
 * two is exact but for what becomes subnormal, which errs by s_(i+1) / 1024: together less than |x|
 * / 16 + 2 s_n / 1024. And s_n is less than 2 a / M of the largest magnitude a that the page has
 * had since its first row.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double LEAST = 0x1p-126;
  private static final double FLUSHED = 6 * LEAST;

  private final AppendCase c;
  private final Operands data;
  private final Map<String, Expected> rounded;
  private final String of;

  private Oracle(AppendCase c, Operands data, Map<String, Expected> rounded, String of) {
    this.c = c;
    this.data = data;
    this.rounded = rounded;
    this.of = of;
  }

  /** A row in float64, and what float32 may err in it. */
  private record Row(double[] values, double[] errors) {

    double largest() {
      double largest = 0;
      for (double value : values) {
        largest = Math.max(largest, Math.abs(value)); // NaN if one is
      }
      return largest;
    }

    double error() {
      double largest = 0;
      for (double error : errors) {
        largest = Math.max(largest, error);
      }
      return largest;
    }
  }

  /**
   * Holds what a case is to give against the formulas.
   *
   * @throws IllegalStateException if they differ by more than arithmetic can
   */
  static void check(AppendCase c, Operands data, Map<String, Expected> rounded) {
    for (String of : List.of("key", "value")) {
      if (c.has(of)) {
        new Oracle(c, data, rounded, of).check();
      }
    }
  }

  /** Of an element whose page has had scales up to that: less than this, less float32's. */
  public static double pageError(DType type, double x, double scale) {
    return type == DType.FLOAT8_E4M3 ? Math.abs(x) / 16 + scale / 512 : scale;
  }

  /** Of rounding x / scale to what a type has, where it is read. */
  private static double rounding(DType type, double x, double scale) {
    return type == DType.FLOAT8_E4M3 ? Math.max(Math.abs(x) / 16, scale / 1024) : scale / 2;
  }

  private void check() {
    AppendSizes s = c.sizes();
    for (int b = 0; b < s.batch(); b++) {
      int start = s.starts()[b];
      for (int h = 0; h < s.heads(); h++) {
        for (int row = start; row < start + s.rows()[b]; row = c.endOfScale(of, b, row)) {
          check(b, h, row, c.endOfScale(of, b, row));
        }
      }
    }
  }

  private void check(int b, int h, int first, int end) {
    Row[] rows = new Row[end - first];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = row(b, first + i - c.sizes().starts()[b], h);
    }
    double scale = c.has(of + "_scales") ? checkScale(b, h, first, rows) : 1;
    for (int i = 0; i < rows.length; i++) {
      int at = c.cacheAt(of, b, first + i, h);
      for (int column = 0; column < rows[i].values.length; column++) {
        double exact = rows[i].values[column];
        double error = rows[i].errors[column];
        if (c.isQuantized()) {
          checkCode(at, column, exact, error, scale);
        } else {
          checkElement(at + column, exact, error);
        }
      }
    }
  }

  private void checkElement(int at, double exact, double error) {
    Expected one = new Expected(c.cacheDType(), 1);
    if (Double.isFinite(exact) && error > 0) {
      one.expectRounded(0, exact, error);
    } else {
      one.expect(0, Rounding.round(c.cacheDType(), exact), 0);
    }
    double got = rounded.get(of + "_cache").value(at);
    boolean same = got == one.value(0) || Double.isNaN(got) && Double.isNaN(exact);
    boolean near = Math.abs(got - exact) <= one.allowed(0);
    require(one.state(0) == Expected.FREE || same || near, "element", at, got, exact);
  }

  private void checkCode(int at, int column, double exact, double error, double scale) {
    if (!Double.isFinite(exact) || Double.isNaN(scale)) {
      return;
    }
    DType type = c.cacheDType();
    double most = Quantization.most(type) * scale;
    // Without scales numbers are cut off.
    double within = c.has(of + "_scales") ? exact : Math.clamp(exact, -most, most);
    double room = rounding(type, within, scale) + (error + 4 * UNIT * Math.abs(within)) * 1.07;
    double got = scale * code(rounded.get(of + "_cache"), at, column);
    require(Math.abs(got - within) <= room, "code", at + column, got, exact);
  }

  private double code(Expected cache, int at, int column) {
    DType type = c.cacheDType();
    int each = type.packedValues();
    int bits = (int) cache.value(at + column / each);
    return Quantization.value(type, each == 1 ? bits : bits >> column % 2 * 4 & 0xf);
  }

  /** Of new rows that have one; and what became of the rows before them that had another. */
  private double checkScale(int b, int h, int first, Row[] rows) {
    double largest = 0;
    double error = 0;
    for (Row row : rows) {
      largest = Math.max(largest, row.largest());
      error = Math.max(error, row.error());
    }
    int at = c.scaleAt(of, b, first, h);
    double scale = rounded.get(of + "_scales").value(at);
    int begin = c.firstOfScale(of, b, first);
    double earlier = begin < first ? data.get(of + "_scales")[at] : 0;
    if (!Double.isFinite(largest) || Double.isNaN(earlier)) {
      require(Double.isNaN(scale), "scale of what is no number", at, scale, largest);
      return scale;
    }
    if (Double.isInfinite(error)) {
      return Double.NaN; // an infinity, perhaps
    }
    double most = Quantization.most(c.cacheDType());
    double exact = largest / most;
    double room = (error / most + UNIT * exact) * 1.01;
    if (!c.sharesScale(of)) {
      boolean right = largest == 0 ? scale == 0 : Math.abs(scale - Math.max(exact, LEAST)) <= room;
      require(right, "scale of a row", at, scale, exact);
      return scale;
    }
    boolean power = scale == 0 || scale == Math.scalb(1.0, Math.getExponent(scale));
    boolean least = scale <= Math.max(earlier, largest == 0 ? 0 : LEAST);
    boolean enough = scale >= exact - room && scale >= earlier;
    require(power && enough && (least || scale / 2 <= exact + room), "scale", at, scale, exact);
    for (int row = begin; row < first; row++) {
      checkEarlier(c.cacheAt(of, b, row, h), earlier, scale);
    }
    return scale;
  }

  private void checkEarlier(int at, double earlier, double scale) {
    DType type = c.cacheDType();
    for (int column = 0; column < c.columns(of); column++) {
      int before = Quantization.read(type, data.get(of + "_cache"), at, column);
      double was = earlier * Quantization.value(type, before);
      double is = scale * code(rounded.get(of + "_cache"), at, column);
      double room = scale == earlier ? 0 : scale / (type == DType.FLOAT8_E4M3 ? 1024 : 2);
      require(Math.abs(is - was) <= room, "code before", at + column, is, was);
    }
  }

  private Row row(int b, int s, int h) {
    int columns = c.columns(of);
    double[] values = new double[columns];
    double[] errors = new double[columns];
    int at = c.at(of, b, s, h);
    for (int i = 0; i < columns; i++) {
      values[i] = data.get(of)[at + i];
    }
    if (of.equals("key") && c.has("cosines")) {
      int position = data.position(c, b, s);
      int cosines = c.tableAt("cosines", b, position);
      int sines = c.tableAt("sines", b, position);
      for (int pair = 0; pair < c.sizes().pairs(); pair++) {
        double cosine = data.get("cosines")[cosines + pair];
        double sine = data.get("sines")[sines + pair];
        double x = values[c.first(pair)];
        double y = values[c.second(pair)];
        rotate(values, errors, c.first(pair), cosine * x, -sine * y);
        rotate(values, errors, c.second(pair), cosine * y, sine * x);
      }
    }
    return new Row(values, errors);
  }

  private void rotate(double[] values, double[] errors, int at, double p, double q) {
    values[at] = p + q;
    errors[at] = (2 + UNIT) * UNIT * (Math.abs(p) + Math.abs(q)) + FLUSHED;
    // Beyond float32 it is an infinity there, and may have been before the sum.
    if (Math.abs(p) + Math.abs(q) + errors[at] > Rounding.largest(DType.FLOAT32)) {
      errors[at] = Double.POSITIVE_INFINITY;
    }
  }

  private void require(boolean right, String what, int at, double got, double exact) {
    if (!right) {
      throw new IllegalStateException(
          "%s of %s, %d, is to be %s, exact %s: %s".formatted(what, of, at, got, exact, c));
    }
  }
}
