package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Attention of the last queries of some sequences to all their keys, which are more than caches
 * hold: a step of decoding, or a chunk of a prompt.
 *
 * @param cache type of keys and values
 * @param batch B
 * @param queries of each sequence
 * @param keys of each sequence
 * @param keyHeads Hk
 * @param group query heads of a key head
 * @param headDim D
 * @param pageSize keys of a page; 0: one behind another
 */
record DecodeProblem(
    DType cache,
    int batch,
    int queries,
    int keys,
    int keyHeads,
    int group,
    int headDim,
    int pageSize)
    implements ComposedProblem {

  /** The problem that has targets; there is no backward pass. */
  static DecodeProblem headline(Pass pass) {
    return step(DType.FLOAT32, 4, 16);
  }

  /** All that is measured. */
  static List<DecodeProblem> all(int threads) {
    List<DecodeProblem> all = new ArrayList<>();
    for (int group : new int[] {1, 4}) {
      all.add(step(DType.FLOAT32, group, 0));
      all.add(step(DType.FLOAT32, group, 16));
      all.add(step(DType.FLOAT16, group, 16));
      all.add(step(DType.INT8, group, 16));
    }
    all.add(step(DType.BFLOAT16, 4, 16));
    all.add(step(DType.INT4X2, 4, 16));
    all.add(step(DType.FLOAT8_E4M3, 4, 16));
    all.add(new DecodeProblem(DType.FLOAT32, 1, 1, 131_072, 1, 8, 128, 16));
    for (int pageSize : new int[] {0, 16}) {
      all.add(new DecodeProblem(DType.FLOAT32, 1, 512, 4096, 4, 2, 128, pageSize));
    }
    return all;
  }

  private static DecodeProblem step(DType cache, int group, int pageSize) {
    return new DecodeProblem(cache, 8, 1, 4096, 8, group, 128, pageSize);
  }

  @Override
  public Pass pass() {
    return Pass.FORWARD;
  }

  /** Of queries: keys and values of bytes are for those of float16. */
  @Override
  public DType dtype() {
    return switch (cache) {
      case FLOAT32, BFLOAT16 -> cache;
      default -> DType.FLOAT16;
    };
  }

  @Override
  public DecodeProblem as(DType other) {
    return new DecodeProblem(other, batch, queries, keys, keyHeads, group, headDim, pageSize);
  }

  @Override
  public String shape() {
    return "%s %s, B %d, Sq %d, Sk %d, Hk %d, Hq %d, D %d"
        .formatted(
            cache.name().toLowerCase(Locale.ROOT),
            pageSize == 0 ? "rows" : "pages of " + pageSize,
            batch,
            queries,
            keys,
            keyHeads,
            keyHeads * group,
            headDim);
  }

  @Override
  public FoveaDecode open() {
    return new FoveaDecode(this);
  }

  private double elements() {
    return 2.0 * batch * keys * keyHeads * headDim;
  }

  /** Few queries read the cache once, and many multiply it. */
  @Override
  public Floor floor() {
    if (queries > 1) {
      double pairs = (double) batch * keyHeads * group * queries * (keys - (queries - 1) / 2.0);
      return Floor.products(Pass.FORWARD, headDim, pairs);
    }
    return Floor.reads(elements() / cache.packedValues() * cache.byteSize());
  }

  /** Scores and weights of all queries. */
  @Override
  public double composedBytes() {
    return 2.0 * Float.BYTES * batch * keyHeads * group * queries * keys;
  }

  @Override
  public double differenceAllowed() {
    double roundings = dtype() == DType.FLOAT32 ? 0 : 2 * Rounding.unit(dtype());
    return 1e-5 + 0x1p-24 * Math.sqrt(keys) + roundings;
  }

  @Override
  public String toString() {
    return "decode " + shape();
  }
}
