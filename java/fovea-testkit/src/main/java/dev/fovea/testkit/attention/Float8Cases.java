package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.Cache.Scales;
import dev.fovea.testkit.attention.Options.QueryScales;

/**
 * Makes queries of e4m3 of those of some cases. Drawn apart: the others do not depend on it, nor
 * does what else there is of these.
 */
final class Float8Cases {

  private static final long SALT = 0x65346d33L; // "e4m3"

  /** Of plain cases, of others, and of those of a cache. */
  private static final double PLAIN = 0.35;

  private static final double USUAL = 0.04;
  private static final double CACHED = 1.0 / 6;

  /** The widest heads that kernels of warpgroups have for them, and elements of 16 bytes. */
  private static final int WIDEST = 128;

  private static final int ALIGNED = 16;

  /** Beyond the keys whose products are summed in one. */
  private static final int[] MANY_KEYS = {1500, 1536, 1665, 2048, 2500};

  private final CaseBuilder c;
  private final Gaussian random;

  private Float8Cases(CaseBuilder c) {
    this.c = c;
    random = new Gaussian(Gaussian.mix(c.dataSeed + SALT));
  }

  /** Makes some cases of attention such. */
  static void draw(CaseBuilder c) {
    Float8Cases it = new Float8Cases(c);
    if (!it.random.chance(c.plain ? PLAIN : USUAL)) {
      return;
    }
    it.queries();
    if (c.plain) {
      it.plain();
    } else {
      it.cache(Style.draw(it.random), Style.draw(it.random));
    }
  }

  /** Makes some cases of a cache such, and most of these caches, too. */
  static void drawCached(CaseBuilder c) {
    Float8Cases it = new Float8Cases(c);
    if (!it.random.chance(CACHED)) {
      return;
    }
    it.queries();
    if (it.random.chance(0.7)) {
      c.cache(c.cache.of(DType.FLOAT8_E4M3));
    }
  }

  private void queries() {
    c.dtype = DType.FLOAT8_E4M3;
    c.outDType = random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.allowTf32 = false;
    c.positions(Positions.NONE);
    c.queryScales = random.pick(QueryScales.values());
    c.queryScaleStyle = Style.draw(random);
    c.queryScalesExpanded = random.chance(0.2);
  }

  private void cache(Style key, Style value) {
    c.key = Style.DENSE;
    c.value = Style.DENSE;
    Scales scales = random.pick(Scales.PAGE, Scales.PAGE, Scales.PAGE, Scales.NONE, Scales.ROW);
    c.cache(
        new Cache(
            DType.FLOAT8_E4M3,
            0,
            0,
            0,
            scales,
            false,
            false,
            false,
            key,
            value,
            Style.draw(random),
            Style.DENSE));
  }

  /** What kernels of warpgroups take, mostly, and sometimes more keys than others have. */
  private void plain() {
    if (random.chance(0.85)) {
      c.headDim = aligned(c.headDim);
      c.valueHeadDim = random.chance(0.8) ? c.headDim : aligned(c.valueHeadDim);
    }
    c.query = row(c.headDim);
    cache(row(c.headDim), row(c.valueHeadDim));
    boolean full = c.queryLengths == null && c.keyLengths == null && c.batch > 0;
    if (full && random.chance(0.3)) {
      c.batch = 1;
      c.keyHeads = 1;
      c.queryHeads = Math.min(c.queryHeads, 2);
      c.keyLength = random.among(MANY_KEYS);
      c.queryLength = Math.clamp(c.queryLength, 1, 130);
    }
  }

  private static int aligned(int width) {
    return Math.min((width + ALIGNED - 1) / ALIGNED * ALIGNED, WIDEST);
  }

  private Style row(int width) {
    return random.chance(0.9) ? Style.drawAligned(random, width, ALIGNED) : Style.draw(random);
  }
}
