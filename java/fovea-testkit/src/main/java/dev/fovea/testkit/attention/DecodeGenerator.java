package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Cache.Scales;

/**
 * Random cases of attention to a cache: those of {@link CaseGenerator} with keys and values in
 * pages, or quantized, or both, and mostly with few queries for many keys; some of widths that
 * multi-head latent attention has, and then mostly with values within keys. Case (seed, index) is a
 * pure function of the two numbers and of the limits of the device's kind.
 */
public final class DecodeGenerator {

  /** The largest D, whatever the limits are. */
  static final int WIDEST = 576;

  /** D and Dv of latent attention, the widest ones as of DeepSeek-V2, and of keys beside values. */
  private static final int[][] WIDTHS = {
    {WIDEST, 512},
    {WIDEST, 512},
    {WIDEST, 512},
    {320, 256},
    {144, 128},
    {72, 64},
    {40, 32},
    {575, 511},
    {512, 512},
    {300, 40},
    {64, 512}
  };

  /** Multiply-adds of the oracle that many heads may cost. */
  private static final double HEAD_BUDGET = 5e8;

  private final Gaussian random;
  private final Gaussian apart; // of widths: other cases do not depend on them
  private final CaseBuilder c;
  private final int[] widths; // or null
  private final boolean latent;

  private DecodeGenerator(long seed, long index, Limits limits) {
    apart = new Gaussian(Gaussian.mix(Gaussian.mix(seed + 2) + index));
    widths = apart.chance(0.2) ? apart.pick(WIDTHS) : null;
    latent = widths != null && widths[0] >= widths[1] && apart.chance(0.8);
    c = CaseGenerator.draw(Gaussian.mix(seed + 1), index, limits, 0.5, widths);
    c.repeat = "--op decode --seed " + seed + " --case " + index;
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static AttentionCase generate(long seed, long index, Limits limits) {
    return new DecodeGenerator(seed, index, limits).draw();
  }

  private AttentionCase draw() {
    int few = random.among(1, 1, 1, 2, 3, 5, 8);
    if (random.chance(0.75)) {
      fewQueries(few);
    }
    if (widths != null) {
      manyHeads();
    }
    DType type =
        random.pick(
            c.dtype,
            c.dtype,
            DType.FLOAT32,
            DType.FLOAT16,
            DType.BFLOAT16,
            DType.INT8,
            DType.INT8,
            DType.INT4X2,
            DType.FLOAT8_E4M3);
    int pageSize = random.among(0, 1, 2, 4, 8, 16, 16, 32, 64, 128, 256);
    if (type == DType.INT4X2) {
      c.headDim += c.headDim % 2;
      c.valueHeadDim += c.valueHeadDim % 2;
    }
    if (type.isQuantized() && c.content.name().startsWith("NAN")) {
      c.content = Content.NORMAL;
    }
    c.key = Style.DENSE;
    c.value = Style.DENSE;
    if (c.packed) {
      c.gates(Gates.NONE); // those of keys lie as keys do, which are packed for the oracle alone
    }
    Style value = Style.draw(random);
    c.cache(
        new Cache(
            type,
            pageSize,
            random.among(0, 0, 1, 5),
            random.among(0, 0, 1, 3),
            type.isQuantized()
                ? random.pick(Scales.ROW, Scales.PAGE, Scales.PAGE, Scales.NONE)
                : random.pick(Scales.NONE, Scales.NONE, Scales.NONE, Scales.ROW, Scales.PAGE),
            random.chance(0.25),
            random.chance(0.5),
            latent,
            random.chance(0.5) ? value : Style.draw(random),
            value,
            Style.draw(random),
            Style.draw(random)));
    Float8Cases.drawCached(c);
    return c.build();
  }

  /** Few queries of each sequence, or of some of a mix, and then perhaps keys by the thousand. */
  private void fewQueries(int few) {
    boolean mix = random.chance(0.3);
    if (c.queryLengths == null) {
      c.queryLength = few;
    } else {
      int longest = 0;
      for (int b = 0; b < c.batch; b++) {
        if (!mix || random.chance(0.6)) {
          c.queryLengths[b] = Math.min(c.queryLengths[b], random.between(0, few + 1));
        }
        longest = Math.max(longest, c.queryLengths[b]);
      }
      c.queryLength = Math.max(longest, mix ? 0 : few);
    }
    if (c.queryLengths == null && c.keyLengths == null && random.chance(0.25)) {
      c.keyLength = random.among(1000, 1023, 1024, 1025, 1500, 2047, 2048, 2049, 3100, 4097);
      c.weights = false;
      c.top = 0;
      if (widths != null) {
        c.batch = Math.min(c.batch, 1);
      }
    }
  }

  /** One key head has all query heads, which are more than a tile of rows where that is cheap. */
  private void manyHeads() {
    double each =
        (double) c.batch * c.queryLength * c.keyLength * (2 * c.headDim + 4 * c.valueHeadDim);
    int wanted = apart.among(1, 5, 16, 17, 24, 40);
    c.queryHeads = (int) Math.clamp(HEAD_BUDGET / Math.max(1, each), 1, wanted);
  }
}
