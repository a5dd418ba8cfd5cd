package dev.fovea.serving;

import dev.fovea.nn.decode.Sampling;
import java.util.Arrays;
import java.util.Objects;

/**
 * What a {@link Generator} is asked for. Each method gives a request that differs in one thing;
 * unless changed the likeliest token is taken each time, and nothing ends but the length.
 */
public final class GenerationRequest {
  private final int[] prompt;
  private final int most;
  private final Sampling sampling;
  private final long seed;
  private final int[] ends;

  private GenerationRequest(int[] prompt, int most, Sampling sampling, long seed, int[] ends) {
    this.prompt = prompt;
    this.most = most;
    this.sampling = sampling;
    this.seed = seed;
    this.ends = ends;
  }

  /**
   * To go on with a prompt.
   *
   * @param prompt at least one token
   * @param most tokens that may come behind it, at least 1
   */
  public static GenerationRequest of(int[] prompt, int most) {
    if (prompt.length == 0) {
      throw new IllegalArgumentException("prompt is empty, expected at least one token");
    }
    if (most < 1) {
      throw new IllegalArgumentException("most is " + most + ", expected at least 1");
    }
    return new GenerationRequest(prompt.clone(), most, Sampling.greedy(), 0, new int[0]);
  }

  /**
   * Tokens are drawn.
   *
   * @param seed of what is drawn: the same one draws the same
   */
  public GenerationRequest sampling(Sampling sampling, long seed) {
    Objects.requireNonNull(sampling, "sampling");
    return new GenerationRequest(prompt, most, sampling, seed, ends);
  }

  /** Any of these tokens ends what is generated, and is its last. */
  public GenerationRequest endAt(int... tokens) {
    return new GenerationRequest(prompt, most, sampling, seed, tokens.clone());
  }

  /** What it begins with. */
  public int[] prompt() {
    return prompt.clone();
  }

  /** Tokens that may come behind the prompt. */
  public int most() {
    return most;
  }

  /** How tokens are chosen. */
  public Sampling sampling() {
    return sampling;
  }

  /** Of what is drawn. */
  public long seed() {
    return seed;
  }

  /** Tokens of the prompt and those behind it. */
  long longest() {
    return (long) prompt.length + most;
  }

  int length() {
    return prompt.length;
  }

  boolean endsWith(int token) {
    return Arrays.stream(ends).anyMatch(end -> end == token);
  }
}
