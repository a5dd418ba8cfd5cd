package dev.fovea.nn;

import dev.fovea.Activation;
import dev.fovea.Attention;
import dev.fovea.Normalization;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * What the layers of a transformer are like. Each method gives a config that differs in one thing.
 *
 * {@snippet :
 * TransformerConfig bert = TransformerConfig.of(256, 8).postNorm().dropout(0.1);
 * TransformerConfig llama = TransformerConfig.of(256, 8).rmsNorm().swiGlu(688).noBias()
 *     .positions(Positions.rotary(2048, 32)).attention(Attention.builder().causal().build());
 * }
 */
public final class TransformerConfig implements Cloneable {
  private final int width;
  private final int heads;
  private int keyHeads;
  private int hidden;
  private Activation activation = Activation.gelu();
  private boolean gated;
  private boolean rms;
  private double epsilon = Norm.EPSILON;
  private boolean postNorm;
  private boolean bias = true;
  private double dropout;
  private Attention attention = Attention.create();
  private Positions positions; // null: none

  private TransformerConfig(int width, int heads) {
    MultiHeadAttention.Sizes.of(width, heads); // checks
    this.width = width;
    this.heads = heads;
    keyHeads = heads;
    hidden = Math.multiplyExact(4, width);
  }

  /**
   * Rows of {@code width} elements, heads that share them, a feed-forward layer of four times as
   * many with GELU, layer normalization before each part, biases, no dropout and no mask.
   */
  public static TransformerConfig of(int width, int heads) {
    return new TransformerConfig(width, heads);
  }

  private TransformerConfig with(Consumer<TransformerConfig> change) {
    try {
      TransformerConfig copy = (TransformerConfig) clone();
      change.accept(copy);
      return copy;
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  /** Fewer heads of keys and values, a divisor of the heads (GQA). */
  public TransformerConfig keyHeads(int keyHeads) {
    return with(it -> it.keyHeads = keyHeads);
  }

  /** Another feed-forward layer. */
  public TransformerConfig feedForward(int hidden, Activation activation) {
    Objects.requireNonNull(activation, "activation");
    return with(
        it -> {
          it.hidden = hidden;
          it.activation = activation;
          it.gated = false;
        });
  }

  /** A feed-forward layer with SiLU and a gate, without biases. */
  public TransformerConfig swiGlu(int hidden) {
    return feedForward(hidden, Activation.silu()).with(it -> it.gated = true);
  }

  /** Normalization by the root mean square. */
  public TransformerConfig rmsNorm() {
    return with(it -> it.rms = true);
  }

  /** What normalization adds to the mean of squares, instead of {@link Norm#EPSILON}. */
  public TransformerConfig normEpsilon(double epsilon) {
    Normalization.layer(epsilon); // checks
    return with(it -> it.epsilon = epsilon);
  }

  /** Normalization behind each sum, as in the first transformers. */
  public TransformerConfig postNorm() {
    return with(it -> it.postNorm = true);
  }

  /** No biases of projections. */
  public TransformerConfig noBias() {
    return with(it -> it.bias = false);
  }

  /**
   * A probability of dropping: attention weights, elements between the two feed-forward layers, and
   * elements of what is added to the residual stream.
   */
  public TransformerConfig dropout(double probability) {
    Activation.identity().dropout(probability); // checks
    return with(it -> it.dropout = probability);
  }

  /** What self-attention is like: its mask, window or modifiers. */
  public TransformerConfig attention(Attention attention) {
    Objects.requireNonNull(attention, "attention");
    return with(it -> it.attention = attention);
  }

  /** Self-attention sees no token behind its own. */
  TransformerConfig causal() {
    return attention(attention.toBuilder().causal().build());
  }

  /** How self-attention knows positions. */
  public TransformerConfig positions(Positions positions) {
    return with(it -> it.positions = positions);
  }

  // ---- the parts of a layer

  int width() {
    return width;
  }

  boolean isPostNorm() {
    return postNorm;
  }

  /** What is added to the residual stream passes through this. */
  Activation residual() {
    return Activation.identity().dropout(dropout);
  }

  MultiHeadAttention selfAttention(boolean causal) {
    Attention.Builder builder = (causal ? causal() : this).attention.toBuilder();
    MultiHeadAttention self = MultiHeadAttention.self(sizes(), dropped(builder));
    return positions == null ? self : self.positions(positions);
  }

  MultiHeadAttention crossAttention() {
    return MultiHeadAttention.cross(sizes(), dropped(Attention.builder()));
  }

  RelativeAttention relativeAttention() {
    if (keyHeads != heads || positions != null) {
      throw new IllegalArgumentException(
          "keys of distances know positions, and have a head for each of queries");
    }
    return new RelativeAttention(sizes(), dropped(attention.toBuilder().causal()));
  }

  private Attention dropped(Attention.Builder builder) {
    return (dropout > 0 ? builder.dropout(dropout) : builder).build();
  }

  private MultiHeadAttention.Sizes sizes() {
    return new MultiHeadAttention.Sizes(width, width, heads, keyHeads, width / heads, bias);
  }

  FeedForward feedForward() {
    Activation dropping = dropout > 0 ? activation.dropout(dropout) : activation;
    return gated
        ? FeedForward.gated(width, hidden, dropping)
        : FeedForward.of(width, hidden, dropping, bias);
  }

  Norm norm() {
    return rms
        ? new Norm(Normalization.rms(epsilon), width, false)
        : new Norm(Normalization.layer(epsilon), width, true);
  }
}
