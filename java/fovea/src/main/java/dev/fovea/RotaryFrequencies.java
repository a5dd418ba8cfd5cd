package dev.fovea;

import java.util.Arrays;

/**
 * What rows are turned by from one position to the next, in radians, for each pair of elements: the
 * frequencies of RoFormer, or what models that were trained for one length make of them for
 * another. Immutable and thread-safe. {@link RotaryTables#of(Scope, long, RotaryFrequencies)} makes
 * tables of them.
 *
 * <p>With C pairs the frequency of pair c is f_c = base^(-c / C), and a period of it is 2 pi / f_c
 * positions long.
 *
 * <p>Source: Su et al., RoFormer, 2021, arXiv 2104.09864, equation 15; of others, their own.
 */
public final class RotaryFrequencies {
  /** Turns over the original context that YaRN takes for many, and for few. */
  private static final double MANY_TURNS = 32;

  private static final double FEW_TURNS = 1;

  private final double[] frequencies;
  private final double base;
  private final double scale; // of cosines and sines

  private RotaryFrequencies(double[] frequencies, double base, double scale) {
    this.frequencies = frequencies;
    this.base = base;
    this.scale = scale;
  }

  /**
   * Those of RoFormer.
   *
   * @param rotaryDim elements of a row that are turned, 2 C: an even number
   * @param base more than 0; {@link RotaryTables#BASE} in most models
   * @throws IllegalArgumentException if a number is not one of these
   */
  public static RotaryFrequencies of(int rotaryDim, double base) {
    if (rotaryDim < 2 || rotaryDim % 2 != 0) {
      throw new IllegalArgumentException(
          "rotaryDim is " + rotaryDim + ", expected an even number from 2 on");
    }
    above("base", base, 0);
    int pairs = rotaryDim / 2;
    double[] frequencies = new double[pairs];
    for (int c = 0; c < pairs; c++) {
      frequencies[c] = Math.pow(base, -(double) c / pairs);
    }
    return new RotaryFrequencies(frequencies, base, 1);
  }

  /**
   * Position interpolation: f_c / factor, so that positions of a context that many times as long
   * are among those of the original.
   *
   * <p>Source: Chen et al., Extending context window of large language models via positional
   * interpolation, 2023, arXiv 2306.15595.
   *
   * @param factor 1 or more
   */
  public RotaryFrequencies linear(double factor) {
    atLeast1("factor", factor);
    return with(Arrays.stream(frequencies).map(it -> it / factor).toArray(), scale);
  }

  /**
   * Interpolation aware of the neural tangent kernel: those of the base times factor^(C / (C - 1)),
   * by which the lowest frequency becomes f / factor and the highest stays.
   *
   * <p>Source: Peng et al., YaRN, 2023, arXiv 2309.00071, definition 1.
   *
   * @param rotaryDim 4 or more
   * @param factor 1 or more
   */
  public static RotaryFrequencies ntkAware(int rotaryDim, double base, double factor) {
    atLeast1("factor", factor);
    if (rotaryDim < 4) {
      throw new IllegalArgumentException(
          "rotaryDim is " + rotaryDim + ", expected 4 or more: the highest frequency stays");
    }
    double pairs = rotaryDim / 2;
    return of(rotaryDim, above("base", base, 0) * Math.pow(factor, pairs / (pairs - 1)));
  }

  /**
   * That of Llama 3: with n = context f_c / (2 pi) periods in the original context, f_c stays where
   * n is more than {@code high}, becomes f_c / factor where it is less than {@code low}, and
   *
   * <pre>
   *   (1 - t) f_c / factor + t f_c,  t = (n - low) / (high - low)
   * </pre>
   *
   * <p>between. Source: Grattafiori et al., The Llama 3 herd of models, 2024, arXiv 2407.21783, and
   * the code of its authors.
   *
   * @param factor 1 or more; 8 in Llama 3.1
   * @param low 1 in Llama 3.1
   * @param high more than low; 4 in Llama 3.1
   * @param context positions that the model was trained for before; 8192 in Llama 3.1
   */
  public RotaryFrequencies llama3(double factor, double low, double high, long context) {
    atLeast1("factor", factor);
    above("low", low, 0);
    above("high", high, low);
    atLeast1("context", context);
    double[] scaled = new double[frequencies.length];
    for (int c = 0; c < scaled.length; c++) {
      double turns = context * frequencies[c] / (2 * Math.PI);
      double kept = Math.clamp((turns - low) / (high - low), 0, 1);
      scaled[c] = (1 - kept) * frequencies[c] / factor + kept * frequencies[c];
    }
    return with(scaled, scale);
  }

  /**
   * YaRN with the numbers of its authors: {@link #yarn(double, long, double, double)} of 32 and 1
   * turns.
   */
  public RotaryFrequencies yarn(double factor, long context) {
    return yarn(factor, context, MANY_TURNS, FEW_TURNS);
  }

  /**
   * YaRN: pairs that turn often in the original context keep their frequency, those that turn
   * rarely have f_c / factor, and
   *
   * <pre>
   *   (1 - t) f_c + t f_c / factor,  t = (c - c_many) / (c_few - c_many)
   * </pre>
   *
   * <p>between, where pair c_many, rounded down, turns {@code many} times in it, and c_few, rounded
   * up, {@code few} times. Cosines and sines are multiplied by 0.1 ln(factor) + 1, and scores
   * thereby by its square.
   *
   * <p>Source: Peng et al., YaRN: Efficient context window extension of large language models,
   * 2023, arXiv 2309.00071, sections 3.2 and 3.4, with the rounding of the code of its authors.
   *
   * @param factor 1 or more
   * @param context positions that the model was trained for before
   * @param many more than few; called beta, or beta_fast
   * @param few more than 0; called alpha, or beta_slow
   */
  public RotaryFrequencies yarn(double factor, long context, double many, double few) {
    atLeast1("factor", factor);
    atLeast1("context", context);
    above("few", few, 0);
    above("many", many, few);
    above("base", base, 1);
    double begin = Math.max(0, Math.floor(pairTurning(many, context)));
    double end = Math.min(2 * frequencies.length - 1, Math.ceil(pairTurning(few, context)));
    double width = begin == end ? 1e-3 : end - begin; // as the authors' code
    double[] scaled = new double[frequencies.length];
    for (int c = 0; c < scaled.length; c++) {
      double interpolated = Math.clamp((c - begin) / width, 0, 1);
      scaled[c] = (1 - interpolated) * frequencies[c] + interpolated * frequencies[c] / factor;
    }
    return with(scaled, scale * (0.1 * Math.log(factor) + 1));
  }

  /** The pair, a number between others, whose original frequency turns so often in a context. */
  private double pairTurning(double turns, long context) {
    return frequencies.length * Math.log(context / (turns * 2 * Math.PI)) / Math.log(base);
  }

  /**
   * The same with cosines and sines multiplied by {@code scale} in all: models whose files name an
   * attention factor of their own have it in place of YaRN's.
   *
   * @param scale more than 0
   */
  public RotaryFrequencies attentionFactor(double scale) {
    return with(frequencies, above("scale", scale, 0));
  }

  private RotaryFrequencies with(double[] frequencies, double scale) {
    return new RotaryFrequencies(frequencies, base, scale);
  }

  /** Pairs, C. */
  public int pairs() {
    return frequencies.length;
  }

  /** That of a pair. */
  public double frequency(int pair) {
    return frequencies[pair];
  }

  /** What cosines and sines are multiplied by; 1 unless it is YaRN's, or was set. */
  public double attentionFactor() {
    return scale;
  }

  private static double above(String name, double value, double least) {
    if (!(value > least) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(
          "%s is %s, expected a number above %s"
              .formatted(name, value, least == 0 ? "0" : String.valueOf(least)));
    }
    return value;
  }

  private static void atLeast1(String name, double value) {
    if (!(value >= 1) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(name + " is " + value + ", expected 1 or more");
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RotaryFrequencies that
        && scale == that.scale
        && base == that.base
        && Arrays.equals(frequencies, that.frequencies);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(frequencies) + Double.hashCode(scale);
  }

  @Override
  public String toString() {
    return "RotaryFrequencies[%d from %s to %s, attention factor %s]"
        .formatted(frequencies.length, frequencies[0], frequencies[frequencies.length - 1], scale);
  }
}
