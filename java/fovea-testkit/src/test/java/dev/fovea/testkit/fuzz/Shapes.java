package dev.fovea.testkit.fuzz;

import java.util.Arrays;
import java.util.Random;

/** Sizes that fit together, of which a round makes its tensors. */
record Shapes(
    int batch, int queries, int keys, int queryHeads, int keyHeads, int headDim, int valueDim) {

  static Shapes draw(Random random) {
    int keyHeads = 1 + random.nextInt(2);
    int headDim = 1 + random.nextInt(12);
    return new Shapes(
        1 + random.nextInt(3),
        1 + random.nextInt(9),
        1 + random.nextInt(12),
        keyHeads * (1 + random.nextInt(3)),
        keyHeads,
        headDim,
        random.nextInt(3) > 0 ? headDim : 1 + random.nextInt(12));
  }

  /** What an operand may be. */
  enum Role {
    QUERY,
    KEY,
    VALUE,
    OUT,
    LSE,
    BIAS,
    MASK,
    WEIGHTS,
    SLOPES,
    SINKS,
    LENGTHS,
    OFFSETS,
    PACKED_QUERY,
    PACKED_KEY,
    PACKED_VALUE,
    PACKED_OUT;

    boolean isInteger() {
      return this == LENGTHS || this == OFFSETS;
    }

    boolean isBoolean() {
      return this == MASK;
    }

    boolean isFloat32() {
      return switch (this) {
        case LSE, WEIGHTS, SLOPES, SINKS -> true;
        default -> false;
      };
    }
  }

  long[] of(Role role, Random random) {
    return switch (role) {
      case QUERY -> new long[] {batch, queries, queryHeads, headDim};
      case KEY -> new long[] {batch, keys, keyHeads, headDim};
      case VALUE -> new long[] {batch, keys, keyHeads, valueDim};
      case OUT -> new long[] {batch, queries, queryHeads, valueDim};
      case LSE -> new long[] {batch, queryHeads, queries};
      case BIAS, MASK -> scores(random);
      case WEIGHTS -> new long[] {batch, queryHeads, queries, keys};
      case SLOPES ->
          random.nextBoolean() ? new long[] {queryHeads} : new long[] {batch, queryHeads};
      case SINKS -> new long[] {queryHeads};
      case LENGTHS -> new long[] {batch};
      case OFFSETS -> new long[] {batch + 1};
      case PACKED_QUERY -> new long[] {(long) batch * queries, queryHeads, headDim};
      case PACKED_KEY -> new long[] {(long) batch * keys, keyHeads, headDim};
      case PACKED_VALUE -> new long[] {(long) batch * keys, keyHeads, valueDim};
      case PACKED_OUT -> new long[] {(long) batch * queries, queryHeads, valueDim};
    };
  }

  private long[] scores(Random random) {
    long[] full = {batch, queryHeads, queries, keys};
    for (int dim = 0; dim < 3; dim++) {
      if (random.nextInt(3) == 0) {
        full[dim] = 1;
      }
    }
    return Arrays.copyOfRange(full, random.nextInt(3), 4);
  }
}
