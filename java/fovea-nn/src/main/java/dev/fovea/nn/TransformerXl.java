package dev.fovea.nn;

import dev.fovea.Activation;
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
public final class TransformerXl extends Module {
  private final List<Layer> layers = new ArrayList<>();
  private final Norm norm; // null: each layer ends with one
  private final int width;

  /** Layers {@code layers.0} and so on; the heads of keys are those of queries. */
  public TransformerXl(TransformerConfig config, int layers) {
    if (layers < 1) {
      throw new IllegalArgumentException("layers is " + layers + ", expected 1 or more");
    }
    width = config.width();
    Layers own = child("layers", new Layers());
    for (int i = 0; i < layers; i++) {
      this.layers.add(own.add(i, new Layer(config)));
    }
    norm = config.isPostNorm() ? null : child("norm", config.norm());
  }

  private static final class Layers extends Module {
    Layer add(int i, Layer layer) {
      return child(Integer.toString(i), layer);
    }
  }

  private static final class Layer extends Module {
    private final boolean postNorm;
    private final Activation residual;
    private final Norm attentionNorm;
    private final RelativeAttention attention;
    private final Norm feedForwardNorm;
    private final FeedForward feedForward;

    Layer(TransformerConfig config) {
      postNorm = config.isPostNorm();
      residual = config.residual();
      attentionNorm = child("attention_norm", config.norm());
      attention = child("attention", config.relativeAttention());
      feedForwardNorm = child("feed_forward_norm", config.norm());
      feedForward = child("feed_forward", config.feedForward());
    }

    Variable forward(Variable x, Variable rows) {
      Activation dropout = isTraining() ? residual : residual.eval();
      if (postNorm) {
        Variable sum = attentionNorm.forward(attention.addTo(x, x, rows, dropout));
        return feedForwardNorm.forward(feedForward.addTo(sum, sum, dropout));
      }
      Variable all = attentionNorm.forward(rows);
      long keys = rows.size(1);
      Variable own = all.slice(1, keys - x.size(1), keys);
      Variable sum = attention.addTo(x, own, all, dropout);
      return feedForward.addTo(sum, feedForwardNorm.forward(sum), dropout);
    }
  }

  /** What the layers read in the segments before. */
  public static final class Memory implements AutoCloseable {
    private final Scope scope;
    private final int length;
    private final List<Tensor> rows = new ArrayList<>(); // [B, length, width] of each layer
    private final List<Variable> read = new ArrayList<>(); // by the last forward pass
    private int filled;

    private Memory(Scope scope, int length) {
      this.scope = scope;
      this.length = length;
    }

    /** How many rows there are. */
    public int filled() {
      return filled;
    }

    /** Forgets all: the next segment begins another text. */
    public void clear() {
      filled = 0;
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
      filled = (int) Math.min(length, read.getFirst().size(1));
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
      for (int i = 0; i < layers.size(); i++) {
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
    Tape tape = x.tape();
    memory.read.clear();
    List<Variable> read = new ArrayList<>();
    Variable stream = x;
    for (int i = 0; i < layers.size(); i++) {
      Variable rows = stream;
      if (memory.filled > 0) {
        Tensor before = memory.rows.get(i);
        record Before(Tensor rows, int filled) {}
        Variable kept =
            tape.constant(
                new Before(before, memory.filled),
                scope -> before.slice(1, memory.length - memory.filled, memory.length));
        rows = Functions.concat(1, kept, stream);
      }
      read.add(rows);
      stream = layers.get(i).forward(stream, rows);
    }
    memory.read.addAll(read);
    return norm == null ? stream : norm.forward(stream);
  }
}
