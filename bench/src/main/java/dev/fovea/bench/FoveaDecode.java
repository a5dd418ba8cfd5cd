package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.util.List;

/**
 * Attention to a cache of N(0,1), as it is written: rows of a head behind each other, in pages of
 * no order. The composition reads the same values in float32.
 */
final class FoveaDecode extends ComposedSide<DecodeProblem> {

  /** Of quantized values; their products are exact. */
  private static final float SCALE = 0x1p-5f;

  private final Tensor query;
  private final Tensor key; // float32, [B, Sk, Hk, D], for libtorch
  private final Tensor value;
  private final Tensor cachedKey;
  private final Tensor cachedValue;
  private final Tensor scales; // null for none
  private final Tensor table; // null without pages
  private final Tensor out;

  /** Allocates and fills the operands. */
  FoveaDecode(DecodeProblem problem) {
    super(problem);
    query = random(queries(), 1);
    key = rows(DType.FLOAT32);
    value = rows(DType.FLOAT32);
    out = queries();
    table = problem.pageSize() == 0 ? null : shuffled();
    cachedKey = cached(key, 2);
    cachedValue = cached(value, 3);
    boolean quantized = problem.cache().isQuantized();
    long outer = table == null ? problem.batch() : pages();
    scales =
        quantized
            ? scope().allocate(DType.FLOAT32, outer, 1, problem.keyHeads()).fill(SCALE)
            : null;
  }

  private Tensor queries() {
    DecodeProblem p = problem();
    return scope()
        .allocate(p.dtype(), p.batch(), p.queries(), (long) p.keyHeads() * p.group(), p.headDim());
  }

  private long width(DType type) {
    return problem().headDim() / type.packedValues();
  }

  /** [B, Sk, Hk, D], each head without gaps. */
  private Tensor rows(DType type) {
    DecodeProblem p = problem();
    return scope()
        .allocate(type, p.batch(), p.keyHeads(), p.keys(), width(type))
        .permute(0, 2, 1, 3);
  }

  private long pages() {
    return (long) problem().batch() * problem().keys() / problem().pageSize();
  }

  private Tensor shuffled() {
    Gaussian random = new Gaussian(7);
    int[] pages = new int[(int) pages()];
    for (int i = 0; i < pages.length; i++) {
      int other = random.nextInt(i + 1);
      pages[i] = pages[other];
      pages[other] = i;
    }
    return scope().copyOf(pages, problem().batch(), pages.length / problem().batch());
  }

  /** Draws values in the type of the cache, leaves them in {@code plain} and returns the cache. */
  private Tensor cached(Tensor plain, long seed) {
    DType type = problem().cache();
    Tensor rows = rows(type);
    if (type.isQuantized()) {
      byte[] bits = new byte[(int) rows.elements()];
      int packed = type.packedValues();
      float[] values = new float[bits.length * packed];
      Gaussian random = new Gaussian(seed);
      float spread = type == DType.INT4X2 ? 3 : 32;
      for (int i = 0; i < values.length; i++) {
        int drawn = Quantization.quantize(type, spread * random.nextNormal());
        values[i] = SCALE * Quantization.value(type, drawn);
        bits[i / packed] |= (byte) (packed == 1 ? drawn : (drawn & 15) << 4 * (i % 2));
      }
      rows.permute(0, 2, 1, 3).copyFrom(bits);
      plain.permute(0, 2, 1, 3).copyFrom(values);
    } else {
      plain.copyFrom(random(rows, seed));
    }
    return table == null ? rows : inPages(rows);
  }

  private Tensor inPages(Tensor rows) {
    DecodeProblem p = problem();
    Tensor pages =
        scope()
            .allocate(p.cache(), pages(), p.keyHeads(), p.pageSize(), width(p.cache()))
            .permute(0, 2, 1, 3);
    int[] all = table.toIntArray();
    int columns = all.length / p.batch();
    for (int i = 0; i < all.length; i++) {
      long first = (long) i % columns * p.pageSize();
      pages
          .select(0, all[i])
          .copyFrom(rows.select(0, i / columns).slice(0, first, first + p.pageSize()));
    }
    return pages;
  }

  private AttentionCall forward(int threads) {
    AttentionCall call =
        Attention.builder().causal().build().call(query, cachedKey, cachedValue).out(out);
    if (table != null) {
      call.pages(table, problem().keys());
    }
    if (scales != null) {
      call.cacheScales(scales, scales);
    }
    return call.parallelism(threads);
  }

  @Override
  Runnable work(int threads) {
    return forward(threads)::run;
  }

  @Override
  List<AttentionPlan> plans() {
    return List.of(forward(1).plan());
  }

  @Override
  List<Tensor> operands() {
    return List.of(query, key, value);
  }

  @Override
  Tensor dout() {
    return null;
  }

  @Override
  Composition composition() {
    return new DecodeComposition(problem());
  }

  @Override
  List<Tensor> outputs() {
    return List.of(out);
  }

  @Override
  List<Tensor> saved() {
    return List.of();
  }

  /** The last query of the first and the last head of the first and the last sequence. */
  @Override
  double verifyRows() {
    double worst = 0;
    for (int b : OracleRows.ends(problem().batch())) {
      for (int h : OracleRows.ends(problem().keyHeads() * problem().group())) {
        worst = Math.max(worst, verifyRow(b, h));
      }
    }
    return worst;
  }

  private double verifyRow(int b, int h) {
    DecodeProblem p = problem();
    int last = p.queries() - 1;
    Operands data =
        new Operands(
            query.select(0, b).select(0, last).select(0, h).toFloatArray(),
            key.select(0, b).select(1, h / p.group()).toFloatArray(),
            value.select(0, b).select(1, h / p.group()).toFloatArray(),
            null,
            null,
            null);
    CaseBuilder c =
        new CaseBuilder()
            .dtype(p.dtype())
            .lengths(1, 1, p.keys())
            .headDim(p.headDim())
            .outputs(false, false);
    Expected expected = Oracle.run(c.build(), data, Precision.of("cpu")).out();
    float[] found = out.select(0, b).select(0, last).select(0, h).toFloatArray();
    return OracleRows.compare("%s: head %d of sequence %d".formatted(p, h, b), found, expected);
  }
}
