package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;

/**
 * Random cases over every feature. Case (seed, index) is a pure function of the two numbers and of
 * the limits of the device's kind, so a failure is repeated by them alone. Sizes gather around
 * multiples of the tiles that kernels use; the work of a case is bounded so that the oracle keeps
 * up, and the simulator.
 */
public final class CaseGenerator {

  /** Multiply-adds of the oracle that a usual case may cost. */
  private static final double BUDGET = 1.5e8;

  /** The same for the few long cases. */
  private static final double LONG_BUDGET = 1e9;

  private static final long PLAIN_SALT = 0x706c61696eL; // "plain"

  private static final int[] HEAD_DIMS = {
    1, 2, 3, 7, 8, 16, 32, 40, 59, 64, 64, 64, 80, 96, 111, 128, 128, 128, 160, 192, 256, 333, 512,
    576
  };
  private static final int[] GROUPS = {1, 1, 1, 2, 3, 4, 5, 8};

  private final Gaussian random;
  private final SequenceDraws draws;
  private final Limits limits;
  private final double share; // of the usual cost
  private final int[] widths; // D and Dv of one key head where they are given, or null
  private boolean isLong;
  private int top; // of the largest weights, where weights are wanted
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(long seed, long index, Limits limits, double share, int[] widths) {
    this.limits = limits;
    this.share = share;
    this.widths = widths;
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    c.repeat = "--seed " + seed + " --case " + index;
    c.dataSeed = random.nextLong();
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static AttentionCase generate(long seed, long index, Limits limits) {
    CaseBuilder c = draw(seed, index, limits, 1);
    Float8Cases.draw(c);
    return c.build();
  }

  /** The case before it is built, made to cost no more than a share of the usual. */
  static CaseBuilder draw(long seed, long index, Limits limits, double share) {
    return draw(seed, index, limits, share, null);
  }

  /** The same of one key head of those widths, D and Dv; null for any. */
  static CaseBuilder draw(long seed, long index, Limits limits, double share, int[] widths) {
    return new CaseGenerator(seed, index, limits, share, widths).draw();
  }

  private CaseBuilder draw() {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.outDType =
        random.chance(0.2) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
    sizes();
    masks();
    scores();
    content();
    trim();
    raggedness();
    memory();
    drawnApart();
    c.lse = random.chance(0.6);
    c.weights =
        random.chance(0.2)
            && (long) c.batch * c.queryLength * c.keyLength < 60_000
            && c.headDim <= limits.keyDim()
            && c.valueHeadDim <= limits.headDim();
    c.top = c.weights ? top : 0;
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    c.allowTf32 = random.chance(0.4) && c.dtype == DType.FLOAT32;
    if (widths == null) {
      Gaussian apart = new Gaussian(Gaussian.mix(c.dataSeed + PLAIN_SALT));
      if (apart.chance(limits.plain())) {
        makePlain(apart);
      }
    }
    return c;
  }

  /** Leaves what kernels of few features take: in 16 bits, most rows at multiples of 16 bytes. */
  private void makePlain(Gaussian random) {
    c.plain = true;
    c.dtype = random.pick(DType.FLOAT16, DType.BFLOAT16);
    c.outDType = random.chance(0.2) ? DType.FLOAT32 : c.dtype;
    c.allowTf32 = false;
    if (random.chance(0.8)) {
      c.headDim = (c.headDim + 7) / 8 * 8;
      c.valueHeadDim = random.chance(0.8) ? c.headDim : (c.valueHeadDim + 7) / 8 * 8;
    }
    c.scale = c.scale == null || c.scale <= 0 ? null : c.scale;
    c.softcap(0).bias(Bias.NONE, null).mask(Bias.NONE).relative(null).blocks(null);
    c.imageWindow(null).modifier(null).alibi(Alibi.NONE).gates(Gates.NONE);
    c.positions(Positions.NONE).dropout(0, 0, 0).outputs(c.lse, false);
    c.rows.clear();
    c.content = c.content.isOfBias() ? Content.NORMAL : c.content;
    if (random.chance(0.9)) {
      boolean slices = c.valueHeadDim == c.headDim && random.chance(0.3);
      int d = c.headDim;
      c.query = slices ? Style.slice(0, 2 * c.keyHeads, d) : Style.drawAligned(random, d);
      c.key = slices ? Style.slice(c.queryHeads, c.keyHeads, d) : Style.drawAligned(random, d);
      c.value =
          slices
              ? Style.slice(c.queryHeads + c.keyHeads, 0, d)
              : Style.drawAligned(random, c.valueHeadDim);
    } else {
      c.query = c.key = c.value = Style.drawInput(random);
    }
  }

  private void sizes() {
    c.batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    c.keyHeads = random.among(1, 1, 2, 2, 3, 4);
    c.queryHeads = c.keyHeads * random.among(GROUPS);
    c.headDim = Math.min(random.among(HEAD_DIMS), limits.keyDim());
    c.valueHeadDim =
        Math.min(random.chance(0.25) ? random.among(HEAD_DIMS) : c.headDim, limits.headDim());
    double kind = random.nextDouble();
    if (kind < 0.12) {
      c.queryLength = draws.tiny();
      c.keyLength = random.chance(0.5) ? draws.tiny() : draws.edge();
    } else if (kind < 0.45) {
      c.queryLength = draws.edge();
      c.keyLength = random.chance(0.4) ? c.queryLength : draws.edge();
    } else if (kind < 0.80) {
      c.queryLength = random.between(1, 600);
      c.keyLength = random.chance(0.3) ? c.queryLength : random.between(1, 700);
    } else if (kind < 0.965) {
      c.queryLength = random.among(1, 1, 2, 4, 7);
      c.keyLength = random.between(100, 2000);
    } else {
      c.queryLength = random.between(600, 2000);
      c.keyLength = random.between(600, 2000);
      c.headDim = Math.min(c.headDim, 64);
      c.valueHeadDim = Math.min(c.valueHeadDim, 64);
      isLong = true;
    }
    if (widths != null) {
      c.keyHeads = 1;
      c.headDim(widths[0], widths[1]);
    }
    if (random.chance(0.03)) {
      switch (random.nextInt(3)) {
        case 0 -> c.batch = 0;
        case 1 -> c.queryLength = 0;
        default -> c.keyLength = 0;
      }
    }
  }

  private void masks() {
    c.causal = random.chance(0.4);
    c.topLeft = random.chance(0.25);
    if (random.chance(0.25)) {
      c.windowLeft = draws.window(c.keyLength);
    }
    if (random.chance(0.25)) {
      c.windowRight = draws.window(c.keyLength);
    }
  }

  private void scores() {
    if (random.chance(0.3)) {
      c.scale = random.pick(0.125f, 0.05f, 0.3f, 1f, 0f, -0.2f);
    }
    if (random.chance(0.2)) {
      c.softcap = random.pick(0.5f, 5f, 30f, 50f);
    }
    if (random.chance(0.35)) {
      Bias[] all = Bias.values();
      DType type = random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, c.dtype);
      c.bias(all[1 + random.nextInt(all.length - 1)], type);
      c.biasExpanded = random.chance(0.2);
    }
    if (random.chance(0.2)) {
      c.alibi = random.pick(Alibi.PER_HEAD, Alibi.PER_BATCH_HEAD);
    }
    c.sinks = random.chance(0.2);
    if (random.chance(0.2)) {
      c.dropout = random.pick(0.1f, 0.17f, 0.5f, 0.9f);
      c.seed = random.nextLong();
      c.offset = (int) random.nextLong();
    }
  }

  /** Drawn apart: the other features of a case do not depend on these. */
  private void drawnApart() {
    Gaussian random = new Gaussian(Gaussian.mix(c.dataSeed));
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      if (random.chance(0.15)) {
        c.row(kind.draw(random));
      }
    }
    c.rowStyle = Style.draw(random);
    if (random.chance(0.2)) {
      Bias[] all = Bias.values();
      c.mask(all[1 + random.nextInt(all.length - 1)]);
    }
    c.maskStyle = Style.draw(random);
    if (random.chance(0.2)) {
      c.relative(Relative.draw(random));
    }
    c.tableStyle = Style.draw(random);
    if (random.chance(0.2)) {
      c.blocks(Blocks.draw(random));
    }
    ImageWindow window = ImageWindow.draw(random);
    if (random.chance(0.15) && c.blocks == null) {
      c.imageWindow(window);
    }
    c.gates(Gates.draw(random));
    c.keyGateStyle = Style.draw(random);
    c.outputGateStyle = Style.drawInput(random);
    c.ungatedStyle = Style.draw(random);
    if (random.chance(0.2) && limits.modifiers()) {
      c.modifier(random.pick(Modifier.values()));
    }
    c.modifierShared = random.chance(0.3);
    c.modifierStyle = Style.draw(random);
    c.topStyle = Style.draw(random);
    top = random.chance(0.7) ? random.among(1, 2, 5, 8, 40, 128) : 0;
    Positions positions = Positions.draw(random);
    boolean fits = Math.max(c.headDim, c.valueHeadDim) <= limits.positionDim();
    c.positions(fits ? positions : Positions.NONE);
    c.positionBiasStyle = Style.draw(random);
    c.positionKeyStyle = Style.draw(random);
  }

  private void content() {
    double kind = random.nextDouble();
    boolean special = random.chance(0.4) && c.bias != Bias.NONE;
    if (special) {
      c.content =
          random.pick(
              Content.BIAS_HOLES,
              Content.BIAS_HOLES,
              Content.BIAS_ALL_MASKED,
              Content.BIAS_NAN_AT_MASKED);
    } else if (kind < 0.3) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.38) {
      c.content = Content.EXTREME;
    } else if (kind < 0.41) {
      c.content = Content.CONSTANT;
    } else if (kind < 0.45) {
      c.content = Content.TINY;
    } else if (kind < 0.51 && c.dropout == 0) {
      c.content = random.pick(Content.NAN_IN_KEY, Content.NAN_IN_VALUE, Content.NAN_IN_QUERY);
    }
  }

  /** Makes the case affordable: fewer sequences, then heads, then columns, then positions. */
  private void trim() {
    while (products() > share * (isLong ? LONG_BUDGET : BUDGET)
        || tiles() > share * (isLong ? 2 : 1) * limits.tiles()) {
      if (c.batch > 1) {
        c.batch--;
      } else if (c.queryHeads > c.keyHeads && c.keyHeads > 1) {
        int group = c.queryHeads / c.keyHeads;
        c.keyHeads--;
        c.queryHeads = group * c.keyHeads;
      } else if (c.queryHeads > 2) {
        c.keyHeads = 1;
        c.queryHeads--;
      } else if (widths == null && Math.max(c.headDim, c.valueHeadDim) > 128) {
        c.headDim = Math.min(c.headDim, random.among(64, 80, 111, 128));
        c.valueHeadDim = Math.min(c.valueHeadDim, random.among(64, 80, 111, 128));
      } else if (c.queryHeads == 2) {
        c.queryHeads = 1;
        c.keyHeads = 1;
      } else if (c.queryLength > c.keyLength) {
        c.queryLength = c.queryLength * 4 / 5;
      } else {
        c.keyLength = c.keyLength * 4 / 5;
      }
    }
  }

  /** Multiply-adds of the oracle. */
  private double products() {
    return (double) c.batch
        * c.queryHeads
        * c.queryLength
        * c.keyLength
        * (2 * c.headDim + 4 * c.valueHeadDim + 40.0);
  }

  /** In the unit of {@link Limits#tiles}; masks, which save some, left aside. */
  private double tiles() {
    double rows = (double) c.queryLength * (c.queryHeads / c.keyHeads);
    return c.batch
        * c.keyHeads
        * Math.ceil(rows / 128)
        * Math.ceil(c.keyLength / 64.0)
        * (c.headDim + c.valueHeadDim)
        / 256;
  }

  private void raggedness() {
    double kind = random.nextDouble();
    if (kind < 0.25) {
      boolean query = random.chance(0.6);
      boolean key = !query || random.chance(0.7);
      c.ragged(
          query ? draws.ragged(c.batch, c.queryLength) : null,
          key ? draws.ragged(c.batch, c.keyLength) : null);
    } else if (kind < 0.47) {
      int[] queries = draws.ragged(c.batch, c.queryLength);
      int[] keys = random.chance(0.3) ? queries : draws.ragged(c.batch, c.keyLength);
      int roomQ = random.chance(0.2) ? random.between(1, 70) : 0;
      int roomK = random.chance(0.2) ? random.between(1, 70) : 0;
      c.packed(queries, keys);
      if (random.chance(0.3)) {
        c.keyRooms(draws.rooms(keys));
      }
      // The longest length is a bound, not always met.
      c.queryLength += roomQ;
      c.keyLength += roomK;
    }
  }

  private void memory() {
    if (random.chance(0.15) && c.valueHeadDim == c.headDim) {
      c.query = Style.slice(0, 2 * c.keyHeads, c.headDim);
      c.key = Style.slice(c.queryHeads, c.keyHeads, c.headDim);
      c.value = Style.slice(c.queryHeads + c.keyHeads, 0, c.headDim);
    } else {
      c.query = Style.drawInput(random);
      c.key = Style.drawInput(random);
      c.value = random.chance(0.6) ? c.key : Style.drawInput(random);
    }
    c.out = Style.draw(random);
    c.lseStyle = Style.draw(random);
    c.weightsStyle = Style.draw(random);
    c.biasStyle = Style.draw(random);
    c.alibiStyle = Style.draw(random);
  }
}
