package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.append.AppendCase.Content;
import dev.fovea.testkit.append.AppendCase.Order;
import dev.fovea.testkit.append.AppendSizes.Lengths;
import dev.fovea.testkit.append.CaseBuilder.Scales;
import dev.fovea.testkit.append.CaseBuilder.Sharing;
import java.util.Arrays;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) is a pure function of the numbers and of the
 * limits of the device's kind, so a failure is repeated by them alone. The size of a case is
 * bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements that are appended, or are in the cache. */
  private static final double BUDGET = 6e4;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 60;

  /** D of the widest cases. */
  static final int WIDEST = 576;

  private static final int[] HEAD_DIMS = {
    1, 2, 3, 4, 5, 6, 7, 8, 8, 10, 12, 14, 16, 16, 18, 20, 24, 30, 32, 32, 34, 40, 48, 63, 64, 64,
    64, 66, 80, 96, 100, 128, 128, 128, 130, 192, 256
  };

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    c.repeat = "--op %s --seed %d --case %d".formatted(AppendCases.OPERATION, seed, index);
    c.dataSeed = random.nextLong();
    budget = Math.min(BUDGET, limits.tiles() * PER_TILE);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static AppendCase generate(long seed, long index, Limits limits) {
    return new CaseGenerator(seed, index, limits).draw().build();
  }

  private CaseBuilder draw() {
    types();
    heads();
    sequences();
    pages();
    rotation();
    content();
    memory();
    while (c.cacheElements() > budget) {
      shrink();
    }
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    return c;
  }

  private void types() {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    double kind = random.nextDouble();
    c.cache =
        kind < 0.25
            ? c.dtype
            : kind < 0.4
                ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)
                : random.pick(DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3);
    c.keyScales = scales();
    c.valueScales = random.chance(0.8) ? c.keyScales : scales();
  }

  private Scales scales() {
    return random.pick(
        Scales.NONE,
        Scales.ROWS,
        Scales.ROWS,
        Scales.ROWS,
        Scales.SHARED,
        Scales.SHARED,
        Scales.SHARED,
        Scales.SHARED);
  }

  private void heads() {
    c.heads = random.among(1, 1, 2, 2, 3, 4, 8);
    c.headDim =
        even(
            random.chance(0.08)
                ? random.pick(WIDEST, WIDEST, random.between(257, WIDEST))
                : random.among(HEAD_DIMS));
    double values = random.nextDouble();
    c.valueHeadDim =
        values < 0.15
            ? 0
            : values < 0.7 && c.headDim <= 512 ? c.headDim : even(random.among(HEAD_DIMS));
  }

  /** In a cache whose bytes hold two values each. */
  private int even(int columns) {
    return c.cache == DType.INT4X2 ? columns + columns % 2 : columns;
  }

  private void sequences() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5, 9, 17);
    double kind = random.nextDouble();
    int most =
        kind < 0.35
            ? 1
            : kind < 0.65 ? draws.tiny() : kind < 0.9 ? draws.edge() : random.between(1, 300);
    c.lengths = random.pick(Lengths.FULL, Lengths.FULL, Lengths.PADDED, Lengths.PACKED);
    c.rows = draws.ragged(batch, most);
    if (c.lengths == Lengths.FULL) {
      Arrays.fill(c.rows, most);
    }
    c.starts = new int[batch];
    double before = random.nextDouble();
    for (int b = 0; b < batch; b++) {
      boolean none = before < 0.2 || random.chance(0.2);
      c.starts[b] = none ? 0 : random.chance(0.5) ? random.between(1, 40) : draws.edge();
    }
    c.spareLength = random.chance(0.4) ? random.between(1, 9) : 0;
    c.room = random.chance(0.4) ? 0 : random.between(1, 20);
    if (random.chance(0.03)) {
      c.starts = new int[0];
      c.rows = new int[0];
    }
  }

  private void pages() {
    if (random.chance(0.65)) {
      c.pageSize = 1 << random.nextInt(7);
      c.spareColumns = random.chance(0.3) ? random.between(1, 3) : 0;
      c.sparePages = random.chance(0.5) ? random.between(1, 4) : 0;
    }
  }

  private void rotation() {
    if (c.headDim < 2 || random.chance(0.35)) {
      return;
    }
    int most = c.headDim / 2;
    c.pairs = random.chance(0.5) ? most : random.between(1, most);
    c.interleaved = random.chance(0.5);
    c.sharing(random.pick(Sharing.ONE, Sharing.ONE, Sharing.EACH, Sharing.REPEATED));
    if (random.chance(0.2)) {
      c.sines = random.pick(Sharing.values());
    }
    c.sparePositions = random.chance(0.4) ? random.between(1, 20) : 0;
    if (random.chance(0.4)) {
      c.positions = random.pick(Sharing.ONE, Sharing.EACH, Sharing.EACH, Sharing.REPEATED);
      c.order = random.pick(Order.CONSECUTIVE, Order.ANY, Order.ANY, Order.SAME);
      c.sparePositions = random.chance(0.1) ? 1 : random.between(1, 200);
    }
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.RISING;
    } else if (kind < 0.3) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.43) {
      c.content = random.pick(Content.TINY, Content.SUBNORMAL, Content.SUBNORMAL, Content.ZEROS);
    } else if (kind < 0.58) {
      c.content = random.pick(Content.LARGEST, Content.INFINITY, Content.NAN, Content.NAN_IN_TABLE);
    }
  }

  private void memory() {
    for (String operand : List.of("key", "value")) {
      c.style(operand, Style.drawInput(random));
      c.style(operand + "_cache", Style.draw(random));
    }
    for (String operand :
        List.of("cosines", "sines", "positions", "block_table", "key_scales", "value_scales")) {
      c.style(operand, MatrixStyle.draw(random));
    }
  }

  /** Affordable: fewer heads, rows before, new ones and sequences, and then columns. */
  private void shrink() {
    int batch = c.starts.length;
    int longest = 0;
    for (int b = 0; b < batch; b++) {
      longest = Math.max(longest, c.starts[b] + c.rows[b]);
    }
    if (c.heads > 2) {
      c.heads /= 2;
    } else if (longest > 40) {
      for (int b = 0; b < batch; b++) {
        c.starts[b] = c.starts[b] * 3 / 4;
        c.rows[b] = c.rows[b] * 3 / 4;
      }
      c.room = Math.min(c.room, 8);
    } else if (batch > 1) {
      c.starts = Arrays.copyOf(c.starts, batch - 1);
      c.rows = Arrays.copyOf(c.rows, batch - 1);
    } else {
      c.heads = 1;
      c.valueHeadDim = Math.min(c.valueHeadDim, 64);
      c.room = c.room * 3 / 4;
      c.pageSize = c.pageSize == 0 ? 0 : Math.max(1, c.pageSize / 2);
      c.sparePages = 0;
      for (int b = 0; b < batch; b++) {
        c.starts[b] = c.starts[b] * 3 / 4;
        c.rows[b] = c.rows[b] * 3 / 4;
      }
    }
  }
}
