package dev.fovea.nn.decode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Decodes: asks a model for the next token again and again, until the end token or a length.
 * Immutable; as thread-safe as the model.
 *
 * <p>A token whose score is minus infinity is impossible. Every method throws {@link
 * IllegalArgumentException} if it is to begin with no token, and {@link IllegalStateException} if
 * the model gives other than one score for every token and prefix, a score that is NaN or plus
 * infinity, or no possible token. What is as long as it may become, or longer, is not continued.
 */
public final class Decoder {
  private final NextToken model;
  private final int end;
  private final int longest;

  /**
   * A decoder.
   *
   * @param model what it asks
   * @param end the token that ends a sequence; negative: none does
   * @param longest tokens of a sequence at most, its beginning counted
   */
  public Decoder(NextToken model, int end, int longest) {
    if (longest < 1) {
      throw new IllegalArgumentException("longest is " + longest + ", expected at least 1");
    }
    this.model = Objects.requireNonNull(model, "model");
    this.end = end;
    this.longest = longest;
  }

  private Hypothesis begin(int[] start) {
    if (start.length == 0) {
      throw new IllegalArgumentException("start is empty, expected at least one token");
    }
    return new Hypothesis(start.clone(), 0, false);
  }

  /**
   * The likeliest token each time; of equal ones the first.
   *
   * @param start what it begins with, at least one token
   */
  public Hypothesis greedy(int... start) {
    return greedy(List.of(start)).getFirst();
  }

  /**
   * The likeliest token each time, of many sequences at once: the model is asked for all that have
   * not ended together.
   *
   * @param starts what each begins with, at least one token, all of one length
   * @return in that order
   */
  public List<Hypothesis> greedy(List<int[]> starts) {
    List<Hypothesis> all = new ArrayList<>();
    for (int[] start : starts) {
      if (start.length != starts.getFirst().length) {
        throw new IllegalArgumentException(
            "starts have %d and %d tokens, expected one length"
                .formatted(starts.getFirst().length, start.length));
      }
      all.add(begin(start));
    }
    while (true) {
      int[] open =
          IntStream.range(0, all.size())
              .filter(i -> !all.get(i).isEnded() && all.get(i).tokens().length < longest)
              .toArray();
      if (open.length == 0) {
        return List.copyOf(all);
      }
      float[][] scores = scores(Arrays.stream(open).mapToObj(all::get).toList(), open);
      for (int i = 0; i < open.length; i++) {
        int best = likeliest(scores[i]);
        all.set(open[i], all.get(open[i]).with(best, logSoftmax(scores[i])[best], end));
      }
    }
  }

  /**
   * Beam search: the {@code width} likeliest beginnings are followed at a time. It ends when no
   * beginning can become better than the worst of {@code width} ended ones.
   *
   * @param width at least 1; 1 is greedy
   * @param lengthPenalty alpha of Wu et al., Google's neural machine translation system, 2016,
   *     arXiv 1609.08144, equation 14: hypotheses are compared by log-probability / ((5 + n) /
   *     6)^alpha, with n the tokens behind the start; 0 compares by probability
   * @param start what they begin with, at least one token
   * @return the best {@code width}, or all if there are fewer, the best first
   */
  public List<Hypothesis> beam(int width, double lengthPenalty, int... start) {
    if (width < 1) {
      throw new IllegalArgumentException("width is " + width + ", expected at least 1");
    }
    if (!(lengthPenalty >= 0) || lengthPenalty == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "lengthPenalty is " + lengthPenalty + ", expected a number of 0 or more");
    }
    Comparator<Hypothesis> worstFirst =
        Comparator.comparingDouble(it -> value(it, start.length, lengthPenalty));
    PriorityQueue<Hypothesis> ended = new PriorityQueue<>(worstFirst);
    List<Hypothesis> open = List.of(begin(start));
    while (!open.isEmpty()) {
      open = follow(open, width);
      List<Hypothesis> going = new ArrayList<>();
      for (Hypothesis it : open) {
        if (it.isEnded() || it.tokens().length >= longest) {
          ended.add(it);
        } else {
          going.add(it);
        }
      }
      while (ended.size() > width) {
        ended.remove();
      }
      // A log-probability only falls, and is divided by that of the longest at most.
      double worst =
          ended.size() < width
              ? Double.NEGATIVE_INFINITY
              : value(ended.peek(), start.length, lengthPenalty);
      double most = penalty(longest - start.length, lengthPenalty);
      going.removeIf(it -> it.logProbability() / most <= worst);
      open = going;
    }
    return ended.stream().sorted(worstFirst.reversed()).toList();
  }

  private static double value(Hypothesis it, int start, double lengthPenalty) {
    return it.logProbability() / penalty(it.tokens().length - start, lengthPenalty);
  }

  private static double penalty(int tokens, double lengthPenalty) {
    return Math.pow((5.0 + tokens) / 6, lengthPenalty);
  }

  /** The likeliest of all that are one token longer. */
  private List<Hypothesis> follow(List<Hypothesis> open, int width) {
    if (open.getFirst().tokens().length >= longest) {
      return open;
    }
    /** One token more, not made yet. */
    record Next(Hypothesis before, int token, double logProbability, double total) {}
    float[][] scores = scores(open, new int[open.size()]);
    PriorityQueue<Next> best = new PriorityQueue<>(Comparator.comparingDouble(Next::total));
    for (int i = 0; i < scores.length; i++) {
      Hypothesis before = open.get(i);
      double[] logs = logSoftmax(scores[i]);
      for (int token = 0; token < logs.length; token++) {
        double total = before.logProbability() + logs[token];
        if (total > (best.size() < width ? Double.NEGATIVE_INFINITY : best.peek().total)) {
          best.add(new Next(before, token, logs[token], total));
          if (best.size() > width) {
            best.remove();
          }
        }
      }
    }
    return best.stream()
        .sorted(Comparator.comparingDouble(Next::total).reversed())
        .map(it -> it.before.with(it.token, it.logProbability, end))
        .toList();
  }

  /**
   * Draws a sequence. The log-probability is that by the model as it is, without temperature and
   * cuts.
   *
   * @param sampling what is drawn from
   * @param random draws one number for each token: the same seed gives the same sequence
   * @param start what it begins with, at least one token
   */
  public Hypothesis sample(Sampling sampling, RandomGenerator random, int... start) {
    Hypothesis it = begin(start);
    while (!it.isEnded() && it.tokens().length < longest) {
      float[] scores = scores(List.of(it), new int[1])[0];
      int token = sampling.draw(scores, random.nextDouble());
      it = it.with(token, logSoftmax(scores)[token], end);
    }
    return it;
  }

  private float[][] scores(List<Hypothesis> open, int[] starts) {
    List<int[]> prefixes = open.stream().map(Hypothesis::tokens).toList();
    float[][] scores = model.logits(prefixes, starts);
    if (scores.length != prefixes.size()) {
      throw new IllegalStateException(
          "the model gave %d rows for %d prefixes".formatted(scores.length, prefixes.size()));
    }
    int vocabulary = Math.max(1, scores[0].length);
    for (int i = 0; i < scores.length; i++) {
      if (scores[i].length != vocabulary) {
        throw new IllegalStateException(
            "the model gave %d scores for prefix %d, expected %d"
                .formatted(scores[i].length, i, vocabulary));
      }
    }
    return scores;
  }

  /**
   * The token of the highest score; of equal ones the first.
   *
   * @throws IllegalStateException if a score is NaN or plus infinity, or all are minus infinity
   */
  static int likeliest(float[] scores) {
    int best = 0;
    for (int i = 0; i < scores.length; i++) {
      if (Float.isNaN(scores[i]) || scores[i] == Float.POSITIVE_INFINITY) {
        throw new IllegalStateException(
            "the model's score of token %d is %s".formatted(i, scores[i]));
      }
      best = scores[i] > scores[best] ? i : best;
    }
    if (scores[best] == Float.NEGATIVE_INFINITY) {
      throw new IllegalStateException("the model's scores are all minus infinity");
    }
    return best;
  }

  /** In float64: float32 would make scores equal that are not. */
  private static double[] logSoftmax(float[] scores) {
    double most = scores[likeliest(scores)];
    double sum = 0;
    for (float score : scores) {
      sum += Math.exp(score - most);
    }
    double log = Math.log(sum);
    double[] logs = new double[scores.length];
    Arrays.setAll(logs, i -> scores[i] - most - log);
    return logs;
  }
}
