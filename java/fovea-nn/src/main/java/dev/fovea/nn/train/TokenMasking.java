package dev.fovea.nn.train;

import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * What a masked language model reads, and what it is to guess: of all tokens 15 % are chosen, each
 * for itself; of these 80 % are replaced by the mask, 10 % by any token, and 10 % stay (Devlin et
 * al., BERT, 2018, arXiv 1810.04805, section 3.1). Every step chooses anew (Liu et al., RoBERTa,
 * 2019, arXiv 1907.11692, section 4.1).
 */
public final class TokenMasking {
  private static final double CHOSEN = 0.15;
  private static final double MASKED = 0.8;
  private static final double REPLACED = 0.1;

  /** Of what is not to be guessed: {@link Loss#crossEntropy} ignores it. */
  private static final int IGNORED = -1;

  private final int vocabulary;
  private final int mask;
  private final long seed;
  private final BitSet special = new BitSet();
  private final int[] ordinary; // ids

  /**
   * Tokens in the shape of those that were given.
   *
   * @param inputs what the model reads
   * @param targets what it is to guess; -1 where nothing is
   */
  public record Masked(int[] inputs, int[] targets) {}

  /**
   * Masking of tokens 0 to {@code vocabulary - 1}.
   *
   * @param mask the id of the mask
   * @param special ids that are never chosen, nor put in the place of others: padding, and what
   *     begins and ends a sequence
   * @throws IllegalArgumentException if an id is not in the vocabulary, or all are special
   */
  public TokenMasking(int vocabulary, int mask, long seed, int... special) {
    this.vocabulary = vocabulary;
    this.mask = requireId("mask", mask);
    this.seed = seed;
    this.special.set(mask);
    for (int id : special) {
      this.special.set(requireId("a special id", id));
    }
    ordinary = IntStream.range(0, vocabulary).filter(it -> !this.special.get(it)).toArray();
    if (ordinary.length == 0) {
      throw new IllegalArgumentException("all %d ids are special".formatted(vocabulary));
    }
  }

  private int requireId(String name, int id) {
    if (id < 0 || id >= vocabulary) {
      throw new IllegalArgumentException(
          "%s is %d, expected 0 to %d".formatted(name, id, vocabulary - 1));
    }
    return id;
  }

  /**
   * Masks the tokens of a batch. What is chosen follows from the seed, the step and the tokens that
   * are not special, in their order. Of a few tokens none may be chosen: then there is nothing to
   * learn.
   *
   * @param ids in any shape, which stay as they are
   * @throws IllegalArgumentException if one is not in the vocabulary
   */
  public Masked mask(int[] ids, int step) {
    // Split once: seeds and steps that are neighbours are to have nothing in common.
    SplittableRandom random = new SplittableRandom(seed + 0x9E3779B97F4A7C15L * step).split();
    int[] inputs = ids.clone();
    int[] targets = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      targets[i] = IGNORED;
      if (!special.get(requireId("a token", ids[i])) && random.nextDouble() < CHOSEN) {
        targets[i] = ids[i];
        double how = random.nextDouble();
        if (how < MASKED) {
          inputs[i] = mask;
        } else if (how < MASKED + REPLACED) {
          inputs[i] = ordinary[random.nextInt(ordinary.length)];
        }
      }
    }
    return new Masked(inputs, targets);
  }
}
