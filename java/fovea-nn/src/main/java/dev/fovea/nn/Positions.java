package dev.fovea.nn;

import dev.fovea.RelativeBuckets;
import dev.fovea.RotaryEmbedding;
import dev.fovea.RotaryTables;

/** How the heads of a {@link MultiHeadAttention} know positions. One may be shared by layers. */
public abstract class Positions extends Module {
  /** A way of one's own. */
  protected Positions() {}

  /**
   * Queries or keys on their way to where they meet.
   *
   * @param x [B, S, H, D], or packed [T, H, D]
   * @param positions int32 [B or 1, S], or packed [1, T]; null for s at row s
   * @return of the same shape
   */
  protected Variable turn(Variable x, Variable positions) {
    return x;
  }

  /** Adds to what attention takes. */
  protected void add(Tape tape, Operands more) {}

  /**
   * Rotary embedding of queries and keys (Su et al., RoFormer, arXiv 2104.09864), the halves of a
   * row as pairs, with base 10,000.
   *
   * @param positions from 0 on that there may be
   * @param headDim elements that are turned, an even number
   */
  public static Positions rotary(int positions, int headDim) {
    return rotary(RotaryEmbedding.halfSplit(), positions, headDim, RotaryTables.BASE);
  }

  /** The same by pairs and a base of one's own. */
  public static Positions rotary(
      RotaryEmbedding embedding, int positions, int rotaryDim, double base) {
    record Table(int positions, int rotaryDim, double base, boolean isOfSines) {}
    return new Positions() {
      @Override
      protected Variable turn(Variable x, Variable at) {
        if (x.shape().length == 3) { // packed
          return turn(x.reshape(1, x.size(0), x.size(1), x.size(2)), at).reshape(x.shape());
        }
        return Functions.rotary(embedding, x, table(x.tape(), false), table(x.tape(), true), at);
      }

      private Variable table(Tape tape, boolean sines) {
        return tape.constant(
            new Table(positions, rotaryDim, base, sines),
            scope -> {
              RotaryTables tables = RotaryTables.of(scope, positions, rotaryDim, base);
              return (sines ? tables.sines() : tables.cosines()).unsqueeze(0);
            });
      }
    };
  }

  /**
   * ALiBi (Press et al., Train short, test long, arXiv 2108.12409): scores fall with distance, head
   * by head less.
   *
   * @param heads of queries
   */
  public static Positions alibi(int heads) {
    record Slopes(int heads) {}
    return new Positions() {
      @Override
      protected void add(Tape tape, Operands more) {
        more.with(
            "alibi_slopes",
            tape.constant(new Slopes(heads), scope -> scope.copyOf(slopes(heads), 1, heads)));
      }
    };
  }

  /** Of a power of two in all, a geometric sequence; of others, those between added. */
  private static float[] slopes(int heads) {
    int whole = Integer.highestOneBit(heads);
    float[] slopes = new float[heads];
    for (int h = 0; h < heads; h++) {
      double exponent = h < whole ? 8.0 * (h + 1) / whole : 4.0 * (2 * (h - whole) + 1) / whole;
      slopes[h] = (float) Math.pow(2, -exponent);
    }
    return slopes;
  }

  /**
   * Learned biases of buckets of distances, parameter {@code table} [heads, buckets] (Raffel et
   * al., T5, arXiv 1910.10683).
   *
   * @param bidirectional as {@link RelativeBuckets#t5}
   * @param buckets likewise
   * @param maxDistance likewise
   */
  public static Positions relative(int heads, boolean bidirectional, int buckets, int maxDistance) {
    record Buckets(boolean bidirectional, int buckets, int maxDistance) {}
    Buckets what = new Buckets(bidirectional, buckets, maxDistance);
    return new Positions() {
      private final Parameter table = parameter("table", Initializer.normal(0.02), heads, buckets);

      @Override
      protected void add(Tape tape, Operands more) {
        more.with("relative_table", tape.exactParameter(table))
            .with(
                "relative_buckets",
                tape.constant(
                    what, it -> RelativeBuckets.t5(it, bidirectional, buckets, maxDistance)));
      }
    };
  }
}
