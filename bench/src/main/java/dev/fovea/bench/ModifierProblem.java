package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Gates;
import dev.fovea.testkit.attention.ImageWindow;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import dev.fovea.testkit.attention.Positions;
import dev.fovea.testkit.attention.Relative;
import dev.fovea.testkit.attention.RowOperand;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Attention with something between scores and result that libtorch's attention has only as a dense
 * mask or around it.
 *
 * @param pass forward or backward pass; that has the gradient of what is learned, too
 * @param dtype of query, key, value and out, and of their gradients
 * @param modifier what is there
 * @param sequence S, 1024; of ALiBi, both ways, 2048
 * @param heads H
 * @param headDim D, and Dv
 */
record ModifierProblem(
    Pass pass, DType dtype, Modifier modifier, int sequence, int heads, int headDim)
    implements ComposedProblem {

  /** Pixels of a row of the image. */
  static final int IMAGE_WIDTH = 32;

  /** How far its window reaches. */
  static final int IMAGE_REACH = 3;

  /** Standard deviation of the Gaussian, in keys. */
  static final float SIGMA = 64;

  /** Keys over which weights fall behind a span. */
  static final float RAMP = 32;

  /** What is between scores and result. */
  enum Modifier {
    MASK("boolean mask", c -> c.mask(Bias.QUERY)),
    RELATIVE("T5 relative bias, 32 buckets", c -> c.relative(new Relative(32, 128))),
    ALIBI("ALiBi", c -> c.alibi(Alibi.PER_HEAD)),
    WRITTEN("ALiBi written in Java", c -> c.modifier(dev.fovea.testkit.attention.Modifier.ALIBI)),
    GAUSSIAN(
        "Gaussian around a centre of each row",
        c -> c.row(new RowOperand(RowOperand.Kind.GAUSSIAN, SIGMA, Bias.HEAD_QUERY))),
    SPAN("span of each head", c -> c.row(new RowOperand(RowOperand.Kind.SPAN, RAMP, Bias.HEAD))),
    KEY_GATES("gates of keys", c -> c.gates(Gates.ofKeys(Bias.HEAD))),
    OUTPUT_GATES(
        "gates of the output", c -> c.gates(Gates.ofOutput(Gates.Output.ELEMENT, DType.FLOAT32))),
    POSITIONS(
        "Transformer-XL: keys of distances, two biases, causal",
        c -> c.positions(Positions.all()).causal()),
    IMAGE_WINDOW(
        "window of 7 x 7 in an image",
        c -> c.imageWindow(new ImageWindow(IMAGE_WIDTH, IMAGE_REACH, IMAGE_REACH)));

    private final String text;
    private final Consumer<CaseBuilder> set;

    Modifier(String text, Consumer<CaseBuilder> set) {
      this.text = text;
      this.set = set;
    }
  }

  /** The problem that has targets, of a pass. */
  static ModifierProblem headline(Pass pass) {
    return of(pass, Modifier.RELATIVE);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<ModifierProblem> all(int threads) {
    List<ModifierProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      for (Modifier modifier :
          threads == 1 ? Modifier.values() : new Modifier[] {Modifier.RELATIVE}) {
        all.add(of(pass, modifier));
      }
    }
    return all;
  }

  private static ModifierProblem of(Pass pass, Modifier modifier) {
    boolean alibi = modifier == Modifier.ALIBI || modifier == Modifier.WRITTEN;
    return new ModifierProblem(pass, DType.FLOAT32, modifier, alibi ? 2048 : 1024, 4, 64);
  }

  /** The same as a case, for the oracle. */
  CaseBuilder builder() {
    CaseBuilder c = new CaseBuilder().dtype(dtype).lengths(1, sequence, sequence);
    modifier.set.accept(c.heads(heads, heads).headDim(headDim));
    return c;
  }

  @Override
  public ModifierProblem as(DType other) {
    return new ModifierProblem(pass, other, modifier, sequence, heads, headDim);
  }

  @Override
  public String shape() {
    return "%s, S %d, H %d, D = Dv = %d".formatted(modifier.text, sequence, heads, headDim);
  }

  @Override
  public FoveaModifier open() {
    return new FoveaModifier(this);
  }

  private double pairs() {
    double keys = sequence;
    if (modifier == Modifier.IMAGE_WINDOW) {
      keys = near(IMAGE_WIDTH) * near(sequence / IMAGE_WIDTH);
    } else if (modifier == Modifier.POSITIONS) {
      keys = (sequence + 1) / 2.0;
    }
    return heads * sequence * keys;
  }

  /** Pixels of a line that one of it sees, on average. */
  private static double near(int line) {
    return 2 * IMAGE_REACH + 1 - IMAGE_REACH * (IMAGE_REACH + 1.0) / line;
  }

  /**
   * Two products of what is seen, five in the backward pass; keys of distances ask for one or three
   * more.
   */
  @Override
  public Floor floor() {
    if (modifier == Modifier.POSITIONS) {
      return Floor.flops(2.0 * headDim * (pass == Pass.BACKWARD ? 8 : 3) * pairs());
    }
    return Floor.products(pass, headDim, pairs());
  }

  /** What modifies the scores, the scores and weights, and in the backward pass their gradients. */
  @Override
  public double composedBytes() {
    return (double) Float.BYTES * heads * sequence * sequence * (pass == Pass.BACKWARD ? 6 : 3);
  }

  @Override
  public double differenceAllowed() {
    return 4 * differenceOfSums(sequence);
  }

  @Override
  public String toString() {
    return "modifiers %s %s %s".formatted(pass, dtype, shape());
  }
}
