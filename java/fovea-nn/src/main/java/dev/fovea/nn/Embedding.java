package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.EmbeddingLookup;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;

/**
 * Rows of a table by the ids of tokens, parameter {@code weight} [V, D], and those of their
 * positions added: parameter {@code positions} [P, D] if they are learned (Devlin et al., BERT,
 * arXiv 1810.04805), or sines and cosines (Vaswani et al., Attention is all you need, 2017, arXiv
 * 1706.03762, section 3.5).
 */
public final class Embedding extends Module {
  private final int vocabulary;
  private final int width;
  private EmbeddingLookup lookup = EmbeddingLookup.create();
  private long padding = -1; // none
  private final Parameter table;
  private Parameter learned; // null: no positions, or those of sines
  private int sines; // positions of sines; 0: none

  /** A table of {@code vocabulary} rows of {@code width} elements. */
  public Embedding(int vocabulary, int width) {
    this.vocabulary = vocabulary;
    this.width = width;
    Initializer normal = Initializer.normal(1 / Math.sqrt(width));
    table =
        parameter(
            "weight",
            (values, shape, random) -> {
              normal.set(values, shape, random);
              if (padding >= 0) {
                int row = Math.toIntExact(padding * width);
                Arrays.fill(values, row, row + width, 0);
              }
            },
            vocabulary,
            width);
  }

  /** Multiplies rows of the table, by the root of their width for example. */
  public Embedding scale(double scale) {
    lookup = lookup.scale(scale);
    return this;
  }

  /**
   * The id whose row begins with zeros and has no gradient.
   *
   * @throws IllegalArgumentException if there is no such row
   */
  public Embedding padding(long id) {
    if (id >= vocabulary) {
      throw new IllegalArgumentException(
          "padding is %d, expected less than the rows of the table, %d".formatted(id, vocabulary));
    }
    lookup = lookup.padding(id);
    padding = id;
    return this;
  }

  /** Adds learned rows of so many positions. */
  public Embedding learnedPositions(int positions) {
    requireNone();
    learned = parameter("positions", Initializer.normal(0.02), positions, width);
    return this;
  }

  /** Adds sines and cosines of so many positions. */
  public Embedding sinusoidalPositions(int positions) {
    requireNone();
    if (positions < 1) {
      throw new IllegalArgumentException(
          "positions is %d, expected at least 1".formatted(positions));
    }
    sines = positions;
    return this;
  }

  private void requireNone() {
    if (hasPositions()) {
      throw new IllegalStateException("there are positions already");
    }
  }

  boolean hasPositions() {
    return learned != null || sines > 0;
  }

  /** The table, [V, D], to be shared with the last layer, for example. */
  public Parameter table() {
    return table;
  }

  /** From int32 [B, S] to [B, S, D], at positions 0 to S - 1. */
  public Variable forward(Variable ids) {
    return forward(ids, null);
  }

  /**
   * At given positions.
   *
   * @param ids int32 [B, S]
   * @param positionIds int32 [B or 1, S]; null for s at s
   * @return [B, S, D]
   */
  public Variable forward(Variable ids, Variable positionIds) {
    Tape tape = ids.tape();
    Operands more = Operands.none();
    if (learned != null) {
      more.with("positions", tape.parameter(learned));
    } else if (sines > 0) {
      record Sines(int positions, int width, DType dtype) {}
      Sines what = new Sines(sines, width, tape.parameter(table).dtype());
      more.with("positions", tape.constant(what, it -> sinusoids(it, what.dtype, sines, width)));
    }
    return Functions.embedding(lookup, table, ids, more.with("position_ids", positionIds));
  }

  /**
   * Sines and cosines of positions: {@code sin(p / 10000^(2 i / D))} in column 2 i, and the cosine
   * behind it (Vaswani et al., section 3.5).
   *
   * @return [positions, width]
   */
  public static Tensor sinusoids(Scope scope, DType dtype, int positions, int width) {
    double[] values = new double[Math.multiplyExact(positions, width)];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < width; i++) {
        double angle = p / Math.pow(10_000, (double) (i & -2) / width);
        values[p * width + i] = i % 2 == 0 ? Math.sin(angle) : Math.cos(angle);
      }
    }
    return scope.copyOf(values, dtype, positions, width);
  }
}
