package dev.fovea.nn.train;

/**
 * What losses are multiplied by for backward passes, and gradients are divided by again before a
 * step: in float16 most gradients of a deep model would be zero without (Micikevicius et al., Mixed
 * precision training, 2018, arXiv 1710.03740, section 3.2). bfloat16 has the range of float32 and
 * needs none.
 *
 * <p>It belongs to one run of a {@link Trainer}.
 */
public final class LossScale {
  /** What 16 bits cannot hold anyway, and products of float32 still can. */
  private static final double MOST = 0x1p24;

  private final int every; // good steps before it is doubled; 0: it stays as it is
  private double value;
  private int good; // steps since it changed

  private LossScale(double value, int every) {
    if (!(value > 0 && value <= MOST)) {
      throw new IllegalArgumentException(
          "a loss scale is %s, expected a number above 0, of at most 2^24".formatted(value));
    }
    this.value = value;
    this.every = every;
  }

  /**
   * Always the same.
   *
   * @param scale above 0, at most 2^24; a power of two rounds nothing
   */
  public static LossScale fixed(double scale) {
    return new LossScale(scale, 0);
  }

  /** From 2^16, doubled every 2000 good steps. */
  public static LossScale dynamic() {
    return dynamic(0x1p16, 2000);
  }

  /**
   * Doubled every so many good steps, up to 2^24. Where a gradient is no finite number, it is
   * halved and the step is taken again, with the same batches.
   *
   * @param first above 0, at most 2^24
   * @param every at least 1
   */
  public static LossScale dynamic(double first, int every) {
    if (every < 1) {
      throw new IllegalArgumentException("every is " + every + ", expected at least 1");
    }
    return new LossScale(first, every);
  }

  /** The scale of the next step. */
  public double value() {
    return value;
  }

  /** Steps that were taken since it changed. */
  int good() {
    return good;
  }

  /** A step was taken. */
  void passed() {
    if (every > 0 && ++good >= every) {
      change(Math.min(2 * value, MOST));
    }
  }

  /** A gradient was no finite number; false if that is not due to the scale. */
  boolean failed() {
    if (every == 0 || value <= 1) {
      return false;
    }
    change(value / 2);
    return true;
  }

  private void change(double to) {
    value = to;
    good = 0;
  }

  /** Goes on from a run that was ended; a scale that is fixed stays what it is. */
  void resume(double value, int good) {
    if (every > 0) {
      this.value = value;
      this.good = good;
    }
  }
}
