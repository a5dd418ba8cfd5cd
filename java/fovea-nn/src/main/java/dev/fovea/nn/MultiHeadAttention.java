package dev.fovea.nn;

import dev.fovea.Activation;
import dev.fovea.Attention;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Multi-head attention (Vaswani et al., Attention is all you need, 2017, arXiv 1706.03762, section
 * 3.2.2): queries, keys and values are projections of rows, every head attends for itself, and what
 * the heads found is projected once more. Keys and values may have fewer heads than queries
 * (Ainslie et al., GQA, 2023, arXiv 2305.13245).
 *
 * <p>What the heads compute is an {@link Attention}, with any mask, window or modifier it knows;
 * the tensors of these are given by their names with every call.
 */
public final class MultiHeadAttention extends Module {
  /**
   * Sizes.
   *
   * @param width of rows in and out
   * @param memoryWidth of the rows that keys and values are projections of
   * @param heads of queries
   * @param keyHeads of keys and values, a divisor of {@code heads}
   * @param headDim elements of a head
   * @param hasBias whether projections add a bias
   */
  public record Sizes(
      int width, int memoryWidth, int heads, int keyHeads, int headDim, boolean hasBias) {
    /** Checks. */
    public Sizes {
      if (width < 1 || memoryWidth < 1 || heads < 1 || keyHeads < 1 || headDim < 1) {
        throw new IllegalArgumentException(
            "width %d, memoryWidth %d, heads %d, keyHeads %d and headDim %d must be at least 1"
                .formatted(width, memoryWidth, heads, keyHeads, headDim));
      }
      if (heads % keyHeads != 0) {
        throw new IllegalArgumentException(
            "heads is %d, expected a multiple of keyHeads, %d".formatted(heads, keyHeads));
      }
    }

    /** With as many heads of keys, which share the width, and biases. */
    public static Sizes of(int width, int heads) {
      if (heads < 1 || width % heads != 0) {
        throw new IllegalArgumentException(
            "width is %d, expected a multiple of heads, %d".formatted(width, heads));
      }
      return new Sizes(width, width, heads, heads, width / heads, true);
    }
  }

  private static final String POSITION_IDS = "position_ids";

  private final Sizes sizes;
  private final boolean isCross;
  private final Attention attention;
  private final Attention cached; // the same where queries are the last rows
  private final Linear in; // to queries, keys and values, or to queries alone
  private final Linear keyValue; // null where `in` has them
  private final Linear out;
  private Positions positions; // null: none
  private Consumer<Variable> observer; // null: none

  private MultiHeadAttention(Sizes sizes, Attention attention, boolean isCross) {
    this.sizes = sizes;
    this.isCross = isCross;
    this.attention = Objects.requireNonNull(attention, "attention");
    cached = attention.toBuilder().alignment(Attention.Alignment.BOTTOM_RIGHT).build();
    int queries = sizes.heads * sizes.headDim;
    int pairs = 2 * sizes.keyHeads * sizes.headDim;
    if (isCross) {
      in = child("query", new Linear(sizes.width, queries, sizes.hasBias));
      keyValue = child("key_value", new Linear(sizes.memoryWidth, pairs, sizes.hasBias));
    } else {
      in = child("query_key_value", new Linear(sizes.width, queries + pairs, sizes.hasBias));
      keyValue = null;
    }
    out = child("out", new Linear(queries, sizes.width, sizes.hasBias));
  }

  /** Of rows among themselves, in {@code heads} heads that share the width. */
  public static MultiHeadAttention self(int width, int heads, Attention attention) {
    return self(Sizes.of(width, heads), attention);
  }

  /**
   * Of rows among themselves. Row i of a sequence is position i of queries and of keys: masks,
   * windows and ALiBi count from its beginning.
   */
  public static MultiHeadAttention self(Sizes sizes, Attention attention) {
    if (sizes.memoryWidth != sizes.width) {
      throw new IllegalArgumentException(
          "memoryWidth is %d, expected the width, %d".formatted(sizes.memoryWidth, sizes.width));
    }
    // Row i is position i, whatever the lengths: else those of keys alone would move the queries.
    Attention.Builder builder = attention.toBuilder().alignment(Attention.Alignment.TOP_LEFT);
    return new MultiHeadAttention(sizes, builder.build(), false);
  }

  /** Of rows over those of another sequence, the memory. */
  public static MultiHeadAttention cross(int width, int heads, Attention attention) {
    return cross(Sizes.of(width, heads), attention);
  }

  /** Of rows over those of another sequence, the memory. */
  public static MultiHeadAttention cross(Sizes sizes, Attention attention) {
    return new MultiHeadAttention(sizes, attention, true);
  }

  /** Self-attention that knows positions; they become part {@code "positions"} of this. */
  public MultiHeadAttention positions(Positions positions) {
    if (isCross) {
      throw new IllegalStateException("this is cross-attention: positions are of one sequence");
    }
    this.positions = child("positions", positions);
    return this;
  }

  /**
   * Shows the attention weights of every call from now on, before dropout: float32 [B, heads, Sq,
   * Sk], or packed [heads, Tq, longest key]. They take time and memory of all pairs.
   *
   * @param observer what looks at them; null for nobody
   */
  public void observe(Consumer<Variable> observer) {
    this.observer = observer;
  }

  /** Self-attention of x [B, S, width]. */
  public Variable forward(Variable x) {
    return forward(x, Operands.none());
  }

  /**
   * Self-attention.
   *
   * @param x [B, S, width], or packed [T, width]
   * @param more what attention takes beside: lengths, masks, biases, and so on; {@code
   *     "position_ids"} int32 [B or 1, S] for positions that are not 0 to S - 1
   */
  public Variable forward(Variable x, Operands more) {
    return out.forward(attended(x, more));
  }

  /** Added to {@code residual}, what {@code dropout} leaves of it. */
  Variable addTo(Variable residual, Variable x, Operands more, Activation dropout) {
    return out.addTo(residual, attended(x, more), dropout);
  }

  private Variable attended(Variable x, Operands more) {
    Projected it = project(x, more);
    return attend(x, it.query, it.key, it.value, it.more);
  }

  /** Heads, at their positions. */
  private record Projected(Variable query, Variable key, Variable value, Operands more) {}

  private Projected project(Variable x, Operands more) {
    if (isCross) {
      throw new IllegalStateException("this is cross-attention: it needs a memory too");
    }
    Variable[] parts =
        heads(in.forward(x), sizes.heads + 2L * sizes.keyHeads)
            .split(x.shape().length - 1, sizes.heads, sizes.keyHeads, sizes.keyHeads);
    if (positions == null) {
      return new Projected(parts[0], parts[1], parts[2], more);
    }
    Operands all = more.without(POSITION_IDS);
    positions.add(x.tape(), all);
    Variable at = more.get(POSITION_IDS);
    return new Projected(positions.turn(parts[0], at), positions.turn(parts[1], at), parts[2], all);
  }

  /**
   * Self-attention of new rows and those before them, whose keys and values a cache has; it gets
   * those of the new ones. For inference.
   *
   * @param x [B, S, width], or packed [T, width]
   * @param more what attention takes beside; {@code "position_ids"} int32 [B or 1, S], packed [1,
   *     T], for the places of the new rows in their sequences: to be given where there are {@link
   *     #positions}
   * @param cache where rows belong
   * @param layer of the cache, from 0
   * @throws IllegalStateException if the tape differentiates, or weights are to be observed
   */
  public Variable forward(Variable x, Operands more, CachedRows cache, int layer) {
    return out.forward(attended(x, more, cache, layer));
  }

  /** Added to {@code residual}, what {@code dropout} leaves of it. */
  Variable addTo(
      Variable residual,
      Variable x,
      Operands more,
      CachedRows cache,
      int layer,
      Activation dropout) {
    return out.addTo(residual, attended(x, more, cache, layer), dropout);
  }

  private Variable attended(Variable x, Operands more, CachedRows cache, int layer) {
    if (observer != null) {
      throw new IllegalStateException("weights over a cache are not shown: observe(null) first");
    }
    if (positions != null && more.get(POSITION_IDS) == null) {
      throw new IllegalArgumentException(
          POSITION_IDS + " are missing: rows behind those of a cache are not at 0 and on");
    }
    Projected it = project(x, positions == null ? more.without(POSITION_IDS) : more);
    Functions.append(it.key, it.value, cache, layer);
    Tape tape = x.tape();
    Operands all = cache.addTo(it.more, tape, layer, x.shape().length == 2 ? x.size(0) : -1);
    Attention spec = isTraining() ? cached : cached.eval();
    return Functions.attention(
            spec, it.query, cache.key(tape, layer), cache.value(tape, layer), all)
        .reshape(rows(x));
  }

  /**
   * Cross-attention.
   *
   * @param x what asks, [B, Sq, width], or packed [Tq, width]
   * @param memory what is asked, [B, Sk, memoryWidth], or packed [Tk, memoryWidth]
   * @param more what attention takes beside
   */
  public Variable forward(Variable x, Variable memory, Operands more) {
    return out.forward(attended(x, memory, more));
  }

  /** Added to {@code residual}, what {@code dropout} leaves of it. */
  Variable addTo(
      Variable residual, Variable x, Variable memory, Operands more, Activation dropout) {
    return out.addTo(residual, attended(x, memory, more), dropout);
  }

  private Variable attended(Variable x, Variable memory, Operands more) {
    if (!isCross) {
      throw new IllegalStateException("this is self-attention: it has no memory");
    }
    Variable[] parts =
        heads(keyValue.forward(memory), 2L * sizes.keyHeads)
            .split(memory.shape().length - 1, sizes.keyHeads, sizes.keyHeads);
    return attend(x, heads(in.forward(x), sizes.heads), parts[0], parts[1], more);
  }

  /** [..., heads, headDim]. */
  private Variable heads(Variable rows, long heads) {
    long[] shape = Arrays.copyOf(rows.shape(), rows.shape().length + 1);
    shape[shape.length - 2] = heads;
    shape[shape.length - 1] = sizes.headDim;
    return rows.reshape(shape);
  }

  private Variable attend(Variable x, Variable query, Variable key, Variable value, Operands more) {
    Attention spec = isTraining() ? attention : attention.eval();
    Variable attended;
    if (observer == null) {
      attended = Functions.attention(spec, query, key, value, more);
    } else {
      List<Variable> both = Functions.attentionAndWeights(spec, query, key, value, more);
      observer.accept(both.getLast());
      attended = both.getFirst();
    }
    return attended.reshape(rows(x));
  }

  /** [..., what all heads have]. */
  private long[] rows(Variable x) {
    long[] shape = x.shape();
    shape[shape.length - 1] = (long) sizes.heads * sizes.headDim;
    return shape;
  }
}
