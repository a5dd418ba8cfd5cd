package dev.fovea.testkit;

/** Random sizes of sequences, and of what is seen of them. */
public final class SequenceDraws {

  private static final int[] TINY = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17};
  private static final int[] EDGES = {
    23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129, 191, 192, 193, 255,
    256, 257
  };

  private final Gaussian random;

  /** Draws from {@code random}. */
  public SequenceDraws(Gaussian random) {
    this.random = random;
  }

  /** A length below that of a tile. */
  public int tiny() {
    return random.among(TINY);
  }

  /** A length next to a multiple of a tile's. */
  public int edge() {
    return random.among(EDGES);
  }

  /** A side of a window over so many keys. */
  public long window(int keyLength) {
    return switch (random.nextInt(8)) {
      case 0 -> 0;
      case 1 -> 1;
      case 2 -> random.pick(Long.MAX_VALUE, (long) Integer.MAX_VALUE, 1L << 32);
      case 3, 4 -> edge();
      default -> random.between(0, 1 + keyLength);
    };
  }

  /** Lengths of sequences, some of them empty. */
  public int[] ragged(int batch, int longest) {
    int[] lengths = new int[batch];
    boolean allEmpty = random.chance(0.02);
    for (int b = 0; b < lengths.length; b++) {
      double kind = random.nextDouble();
      if (allEmpty || kind < 0.1) {
        lengths[b] = 0;
      } else {
        lengths[b] = kind < 0.3 ? longest : Math.min(longest, random.between(1, longest + 1));
      }
    }
    return lengths;
  }

  /** Rows of packed sequences of those lengths, some with more than they need. */
  public int[] rooms(int[] lengths) {
    int[] rooms = lengths.clone();
    for (int b = 0; b < rooms.length; b++) {
      rooms[b] += random.chance(0.6) ? random.between(0, 40) : 0;
    }
    return rooms;
  }
}
