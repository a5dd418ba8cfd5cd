package dev.fovea.serving;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** When the tokens of each slot come: steps of what is new in each. */
final class Schedule {
  private static final long[] NONE = {};

  private Schedule() {}

  /** New numbers for tokens of so many slots, up to so many each. */
  static long[][] tokens(Random random, int slots, int most) {
    long[][] all = new long[slots][];
    for (int slot = 0; slot < slots; slot++) {
      all[slot] = random.longs(random.nextInt(most + 1), 0, 1L << 40).toArray();
    }
    return all;
  }

  /** All in one step. */
  static List<long[][]> atOnce(long[][] tokens) {
    return List.<long[][]>of(tokens);
  }

  /** In chunks of random sizes, 0 among them. */
  static List<long[][]> chunks(Random random, long[][] tokens) {
    List<long[][]> steps = new ArrayList<>();
    int[] done = new int[tokens.length];
    boolean more = true;
    while (more) {
      more = false;
      long[][] step = new long[tokens.length][];
      for (int slot = 0; slot < tokens.length; slot++) {
        int left = tokens[slot].length - done[slot];
        int most = random.nextInt(3) == 0 ? left : 3;
        int count = Math.min(left, random.nextInt(most + 1));
        step[slot] = part(tokens[slot], done[slot], count);
        done[slot] += count;
        more |= done[slot] < tokens[slot].length;
      }
      steps.add(step);
    }
    return steps;
  }

  /** One token of each slot that has more in every step. */
  static List<long[][]> oneByOne(long[][] tokens) {
    List<long[][]> steps = new ArrayList<>();
    boolean more = true;
    for (int i = 0; more; i++) {
      more = false;
      long[][] step = new long[tokens.length][];
      for (int slot = 0; slot < tokens.length; slot++) {
        boolean has = i < tokens[slot].length;
        step[slot] = has ? part(tokens[slot], i, 1) : NONE;
        more |= i + 1 < tokens[slot].length;
      }
      steps.add(step);
    }
    return steps;
  }

  /** What becomes of one slot, alone. */
  static List<long[][]> of(int slot, List<long[][]> steps) {
    return steps.stream().<long[][]>map(step -> new long[][] {step[slot]}).toList();
  }

  private static long[] part(long[] tokens, int from, int count) {
    return Arrays.copyOfRange(tokens, from, from + count);
  }
}
