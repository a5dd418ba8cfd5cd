package dev.fovea.testkit.append;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(AppendCase c) {
    AppendSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("cache", c.cacheDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : s.batch() < 8 ? "2-7" : "8+");
    f.put("length", FeatureValues.size(s.length()));
    f.put("lengths", s.lengths().name());
    f.put("starts", starts(s));
    f.put("room", full(s) ? "none" : "some");
    f.put("heads", s.heads() == 1 ? "1" : s.heads() < 8 ? "2-7" : "8+");
    f.put("headDim", FeatureValues.headDim(s.headDim()));
    f.put("values", values(s));
    f.put("pages", pages(s.pageSize()));
    f.put("pairing", !c.has("cosines") ? "none" : c.interleaved() ? "interleaved" : "half-split");
    f.put("rotated", rotated(s));
    f.put("positions", sharing(c, "positions"));
    f.put("order", c.has("positions") ? c.order().name() : "row");
    f.put("cosines", sharing(c, "cosines"));
    f.put("sines", sharing(c, "sines"));
    f.put("keyScales", scales(c, "key"));
    f.put("valueScales", scales(c, "value"));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("keyLayout", FeatureValues.layout(c.layout("key")));
    f.put("keyCacheLayout", FeatureValues.layout(c.layout("key_cache")));
    f.put("valueLayout", c.has("value") ? FeatureValues.layout(c.layout("value")) : "none");
    f.put(
        "valueCacheLayout",
        c.has("value") ? FeatureValues.layout(c.layout("value_cache")) : "none");
    f.put(
        "keyScalesLayout", c.has("key_scales") ? MatrixStyle.name(c.layout("key_scales")) : "none");
    return f;
  }

  private static String starts(AppendSizes s) {
    boolean some = Arrays.stream(s.starts()).anyMatch(it -> it > 0);
    boolean none = Arrays.stream(s.starts()).anyMatch(it -> it == 0);
    return some ? none ? "mixed" : "all" : "none";
  }

  /** Whether a sequence has no row left in the cache. */
  private static boolean full(AppendSizes s) {
    return IntStream.range(0, s.batch())
        .anyMatch(b -> s.starts()[b] + s.rows()[b] == s.cacheLength());
  }

  private static String values(AppendSizes s) {
    return s.valueHeadDim() == 0 ? "none" : s.valueHeadDim() == s.headDim() ? "same" : "other";
  }

  private static String pages(int size) {
    return size == 0 ? "none" : size == 1 ? "1" : size < 16 ? "2-8" : "16-64";
  }

  private static String rotated(AppendSizes s) {
    int copied = s.headDim() - 2 * s.pairs();
    String much = copied == 0 ? "all" : "part";
    return s.pairs() == 0 ? "none" : s.pairs() % 8 == 0 ? much + "-of-8" : much + "-odd";
  }

  private static String scales(AppendCase c, String of) {
    if (!c.isQuantized() || !c.has(of)) {
      return "not";
    }
    return !c.has(of + "_scales") ? "none" : !c.sharesScale(of) ? "rows" : shared(c, of);
  }

  /** Whether rows before have a scale together with new ones. */
  private static String shared(AppendCase c, String of) {
    AppendSizes s = c.sizes();
    boolean continued =
        IntStream.range(0, s.batch())
            .filter(b -> s.rows()[b] > 0)
            .anyMatch(b -> c.firstOfScale(of, b, s.starts()[b]) < s.starts()[b]);
    return continued ? "continued" : "shared";
  }

  /** Whose it is, if there are sequences to have one each. */
  private static String sharing(AppendCase c, String operand) {
    if (!c.has(operand)) {
      return "none";
    }
    Layout layout = c.layout(operand);
    return c.sizes().batch() <= 1
        ? "one-sequence"
        : layout.size()[0] == 1 ? "one" : layout.isShared() ? "repeated" : "each";
  }
}
