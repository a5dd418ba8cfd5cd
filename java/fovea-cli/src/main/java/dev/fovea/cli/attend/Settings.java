package dev.fovea.cli.attend;

import dev.fovea.Activation.Function;
import dev.fovea.Attention;
import dev.fovea.Attention.Alignment;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.MaskBuilder;
import java.util.Locale;

/**
 * Numbers of a command line, those of all operations together.
 *
 * @param causal null: no causal mask
 * @param window null: none
 * @param scale null: the operation's own
 * @param positionOrigin the row of position keys for distance 0
 * @param blocks of a block mask
 * @param imageWindow of two dimensions
 * @param topCount weights of a query that are listed, where that is wanted
 * @param featureMap of queries and keys, of linear attention
 * @param normalised whether its out is divided by the sum of its weights
 * @param localLinear whether distance attention fits a plane
 * @param ridge of that plane
 * @param interleaved whether the elements that are rotated together are neighbours
 * @param step of an optimizer
 * @param centered whether the mean is subtracted by norm
 * @param epsilon added to a mean of squares, or to its root; null: the operation's own
 * @param function of activation
 * @param padding the id whose row of a table has no gradient; null: none
 * @param labelSmoothing share of a target that all classes have alike
 * @param deterministic whether every run of a backward pass is to give the same bits
 */
public record Settings(
    Alignment causal,
    Window window,
    Double scale,
    double softcap,
    double gaussianSigma,
    double spanRamp,
    long positionOrigin,
    BlockSize blocks,
    ImageWindow imageWindow,
    long topCount,
    double dropout,
    long seed,
    int offset,
    boolean allowTf32,
    FeatureMap featureMap,
    boolean normalised,
    boolean localLinear,
    double ridge,
    boolean interleaved,
    Step step,
    boolean centered,
    Double epsilon,
    Function function,
    Long padding,
    double labelSmoothing,
    boolean deterministic,
    int threads) {

  /** Rules of optimizers. */
  public enum Rule {
    SGD,
    ADAMW,
    LION;

    /** As the command line spells it. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Of an optimizer; null for numbers that a rule has by itself. */
  public record Step(Rule rule, boolean nesterov, Double beta1, Double beta2, double weightDecay) {}

  /** Q,K as in {@code --block-size 64,64}; 0,0 for none. */
  public record BlockSize(long queries, long keys) {}

  /** W,R,C as in {@code --image-window 56,3,3}; 0,0,0 for none. */
  public record ImageWindow(long width, long rows, long columns) {}

  /** L,R as in {@code --window 128,0}. */
  public record Window(long left, long right) {

    /** Whether both are sizes, or {@link Attention#UNBOUNDED}. */
    public boolean valid() {
      return left >= Attention.UNBOUNDED && right >= Attention.UNBOUNDED;
    }
  }

  /** What operations over queries and keys have alike; returns {@code builder}. */
  <B extends MaskBuilder<B>> B masks(B builder) {
    if (causal != null) {
      builder.causal(causal);
    }
    if (window != null) {
      builder.window(window.left(), window.right());
    }
    return builder.dropout(dropout);
  }
}
