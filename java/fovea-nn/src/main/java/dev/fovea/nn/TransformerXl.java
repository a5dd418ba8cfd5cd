package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * A decoder that reads a text segment by segment and attends, layer by layer, to the rows that it
 * had in the segments before: recurrence without gradients through it (Dai et al., Transformer-XL,
 * 2019, arXiv 1901.02860). Attention is causal, and knows distances by keys of their own.
 */
public final class TransformerXl extends TransformerStack<TransformerXl.Layer> {
  private final int layers;
  private final int width;

  /** Layers {@code layers.0} and so on; the heads of keys are those of queries. */
  public TransformerXl(TransformerConfig config, int layers) {
    super(config, layers, layers, Layer::new);
    this.layers = layers;
    width = config.width();
  }

  /** One layer. */
  static final class Layer extends TransformerLayer {
    private final Norm attentionNorm;
    private final RelativeAttention attention;
    private final Norm feedForwardNorm;
    private final FeedForward feedForward;

    Layer(TransformerConfig config) {
      super(config);
      attentionNorm = child("attention_norm", config.norm());
      attention = child("attention", config.relativeAttention());
      feedForwardNorm = child("feed_forward_norm", config.norm());
      feedForward = child("feed_forward", config.feedForward());
    }

    /** {@code rows} are x, or what precedes it and x. */
    Variable forward(Variable x, Variable rows) {
      Variable sum =
          behind(
              x,
              attentionNorm,
              (in, dropout) -> {
                Variable all = rows == x ? in : before(rows, attentionNorm);
                return attention.addTo(x, in, all, dropout);
              });
      return fed(sum, feedForwardNorm, feedForward);
    }
  }

  /** What the layers read in the segments before. */
  public static final class Memory implements AutoCloseable {
    private final Scope scope;
    private final int length;
    private final List<Tensor> rows = new ArrayList<>(); // [B, length, width] of each layer
    private final List<Variable> read = new ArrayList<>(); // by the last forward pass
    private List<Tensor> kept = List.of(); // the parts of `rows` that are filled

    private Memory(Scope scope, int length) {
      this.scope = scope;
      this.length = length;
    }

    /** How many rows there are. */
    public int filled() {
      return kept.isEmpty() ? 0 : (int) kept.getFirst().size(1);
    }

    /** Forgets all: the next segment begins another text. */
    public void clear() {
      kept = List.of();
      read.clear();
    }

    /**
     * Takes over what the layers read in the last forward pass: the last rows of it and of what was
     * there before. To be called when the step is over, backward pass included.
     */
    public void advance() {
      if (read.isEmpty()) {
        throw new IllegalStateException("no forward pass has read a segment since the last time");
      }
      for (int i = 0; i < rows.size(); i++) {
        Tensor all = read.get(i).value(); // what was there, and the segment
        int keep = (int) Math.min(length, all.size(1));
        rows.get(i)
            .slice(1, length - keep, length)
            .copyFrom(all.slice(1, all.size(1) - keep, all.size(1)));
      }
      long now = Math.min(length, read.getFirst().size(1));
      if (filled() != now) { // else the next step reads what this one did
        kept = rows.stream().map(it -> it.slice(1, length - now, length)).toList();
      }
      read.clear();
    }

    /** Frees it. */
    @Override
    public void close() {
      scope.close();
    }
  }

  /**
   * Memory for {@code length} rows of each sequence, empty.
   *
   * @param dtype what the model computes in
   */
  public Memory memory(Device device, DType dtype, int batch, int length) {
    if (batch < 1 || length < 1) {
      throw new IllegalArgumentException(
          "batch is %d and length %d, expected 1 or more".formatted(batch, length));
    }
    Scope scope = Scope.open(device);
    try {
      Memory memory = new Memory(scope, length);
      for (int i = 0; i < layers; i++) {
        memory.rows.add(scope.allocate(dtype, batch, length, width));
      }
      return memory;
    } catch (Throwable t) {
      scope.close();
      throw t;
    }
  }

  /**
   * Reads a segment.
   *
   * @param x [B, S, width]
   * @param memory what was read before; {@link Memory#advance} adds this segment
   * @return [B, S, width]
   */
  public Variable forward(Variable x, Memory memory) {
    memory.read.clear();
    return through(
        x,
        (layer, stream) -> {
          Variable rows = stream;
          if (!memory.kept.isEmpty()) {
            Tensor kept = memory.kept.get(memory.read.size());
            rows = Functions.concat(1, x.tape().constant(kept), stream);
          }
          memory.read.add(rows);
          return layer.forward(stream, rows);
        });
  }
}
