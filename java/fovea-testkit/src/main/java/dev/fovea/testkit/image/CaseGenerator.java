package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.ImageCase.Content;
import dev.fovea.testkit.image.ImageCase.Kind;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The work of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
final class CaseGenerator {

  /** C of the widest cases. */
  static final int WIDEST = 1030;

  /** Elements of x, and products of a layer or convolution, that a usual case may have. */
  private static final double BUDGET = 1.2e5;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 1.2e6;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  private static final int[] CHANNELS = {
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 16, 17, 24, 31, 32, 32, 33, 48, 63, 64, 64, 65, 100, 128,
    129
  };
  private static final int[] WIDE = {200, 256, 257, 300, 512, 1024, WIDEST};
  private static final int[] SIDES = {
    1, 2, 3, 4, 5, 7, 7, 8, 9, 13, 14, 14, 15, 16, 17, 24, 28, 31, 32, 33
  };
  private static final int[] HIDDEN = {1, 2, 3, 4, 4, 5, 7, 8, 8, 9, 16, 17, 33, 64};
  private static final int[] KERNELS = {1, 3, 3, 3, 5, 7, 7, 7, 9, 11, 31};

  private final Gaussian random;
  private final CaseBuilder c;
  private final double budget;
  private final double largeBudget;

  private CaseGenerator(Kind kind, Pass pass, long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    c = new CaseBuilder(kind);
    boolean backward = pass == Pass.BACKWARD;
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(kind.table(), backward ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most);
    largeBudget = Math.min(LARGE_BUDGET, 2 * most);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  static ImageCase generate(Kind kind, Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(kind, pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.outDType =
        random.chance(0.2) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
    sizes();
    content();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients =
          random.chance(0.3) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.25);
    }
    operands(pass);
    return c;
  }

  private void sizes() {
    int inner = random.among(c.kind == Kind.CHANNEL ? HIDDEN : KERNELS);
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    double kind = random.nextDouble();
    if (kind < 0.55) {
      c.sizes(batch, random.among(CHANNELS), random.among(SIDES), random.among(SIDES), inner);
      trim(budget);
    } else if (kind < 0.7) { // many small ones
      int channels = random.among(CHANNELS);
      c.sizes(random.between(6, 40), channels, random.between(1, 9), random.between(1, 9), inner);
      trim(budget);
    } else if (kind < 0.85) { // wide
      c.sizes(batch, random.among(WIDE), random.between(1, 9), random.between(1, 9), inner);
      trim(budget);
    } else if (kind < 0.93) { // large
      c.sizes(batch, random.among(CHANNELS), random.between(20, 90), random.between(20, 90), inner);
      trim(largeBudget);
    } else { // of many pixels
      int channels = random.among(1, 2, 3, 4, 8);
      int height = random.among(1, 2, 100, 190, 260);
      int width = random.between(100, 260) * (height < 100 ? random.among(1, 200) : 1);
      c.sizes(1, channels, height, width, inner);
      trim(largeBudget);
    }
    if (random.chance(0.02)) {
      ImageSizes s = c.sizes;
      c.sizes(0, s.channels(), s.height(), s.width(), s.inner());
    }
  }

  /** Makes the case affordable: fewer images, then pixels, then hidden units, then channels. */
  private void trim(double most) {
    while (cost() > most) {
      ImageSizes s = c.sizes;
      int batch = s.batch();
      int channels = s.channels();
      int height = s.height();
      int width = s.width();
      int inner = s.inner();
      if (batch > 9 || batch > 1 && batch < 6) {
        batch--;
      } else if (Math.max(height, width) > 3) {
        height = height > width ? height * 4 / 5 : height;
        width = height < s.height() ? width : width * 4 / 5;
      } else if (inner > 3) {
        inner = c.kind == Kind.SPATIAL ? inner - 2 : inner / 2;
      } else if (batch > 1) {
        batch--;
      } else {
        channels = channels * 4 / 5;
      }
      c.sizes(batch, channels, height, width, inner);
    }
  }

  private double cost() {
    ImageSizes s = c.sizes;
    double inner =
        c.kind == Kind.CHANNEL
            ? 2.0 * s.batch() * s.channels() * s.inner()
            : 2.0 * s.batch() * s.pixels() * s.inner() * s.inner();
    return s.elements() + 0.3 * inner;
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.18) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.3) {
      c.content = Content.TIES;
    } else if (kind < 0.4) {
      c.content = Content.HEAVY;
    } else if (kind < 0.5) {
      c.content = random.pick(Content.CONSTANT, Content.TINY);
    } else if (kind < 0.6) {
      c.content = random.pick(Content.NAN_IN_X, Content.INFINITY_IN_X, Content.NAN_IN_WEIGHT);
    }
  }

  private void operands(Pass pass) {
    ImageStyle likely = ImageStyle.drawLikely(random);
    int number = pass == Pass.BACKWARD ? Abi.BACKWARD : Abi.FORWARD;
    for (Operand operand : c.kind.table().operands(number)) {
      String name = operand.name();
      boolean image = operand.dims().size() > 3;
      ImageStyle style = image ? ImageStyle.draw(random, likely) : ImageStyle.drawWeight(random);
      if (!operand.written() && operand.strides() != null && random.chance(0.05)) {
        style = style.withBroadcast(random.nextInt(operand.strides().length()));
      }
      c.style(name, operand.strides() == null ? ImageStyle.DENSE : style);
      if (operand.present() != null && random.chance(operand.written() ? 0.3 : 0.4)) {
        c.without(name);
      }
    }
  }
}
