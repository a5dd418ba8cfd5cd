package dev.fovea.nn.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplingTest {
  private static final float NEVER = Float.NEGATIVE_INFINITY;
  private static final double LAST = Math.nextDown(1.0);

  /** How often each token comes out of so many equally spaced chances. */
  private static int[] counts(Sampling sampling, int chances, float... scores) {
    int[] counts = new int[scores.length];
    for (int i = 0; i < chances; i++) {
      counts[sampling.draw(scores, (i + 0.5) / chances)]++;
    }
    return counts;
  }

  private static float[] logarithms(double... probabilities) {
    float[] scores = new float[probabilities.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) Math.log(probabilities[i]);
    }
    return scores;
  }

  /** From the definition: cut, then in proportion to exp(score / temperature). */
  private static double[] expected(Sampling sampling, float... scores) {
    double[] weights = new double[scores.length];
    Arrays.setAll(weights, i -> Math.exp(scores[i] / sampling.temperature()));
    double all = Arrays.stream(weights).sum();
    List<Integer> likeliest =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -weights[i]))
            .toList();
    double[] kept = new double[scores.length];
    double sum = 0;
    for (int i = 0; i < likeliest.size(); i++) {
      if ((sampling.topK() > 0 && i >= sampling.topK())
          || (i > 0 && sampling.topP() < 1 && sum >= sampling.topP())) {
        break;
      }
      int token = likeliest.get(i);
      kept[token] = weights[token];
      sum += weights[token] / all;
    }
    double rest = Arrays.stream(kept).sum();
    return Arrays.stream(kept).map(it -> it / rest).toArray();
  }

  @Test
  void everyTokenHasItsPartOfTheChances() {
    Random random = new Random(1);
    int chances = 500;
    for (int n = 0; n < 30; n++) {
      float[] scores = new float[1 + random.nextInt(9)];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = (float) (3 * random.nextGaussian());
      }
      double topP = random.nextInt(3) == 0 ? 1 : 1 - random.nextDouble();
      Sampling sampling = new Sampling(0.1 + 2 * random.nextDouble(), random.nextInt(4), topP);
      int[] counts = counts(sampling, chances, scores);
      double[] expected = expected(sampling, scores);
      for (int i = 0; i < scores.length; i++) {
        assertEquals(
            chances * expected[i],
            counts[i],
            1.01,
            "%d: token %d of %s by %s".formatted(n, i, Arrays.toString(scores), sampling));
      }
    }
  }

  @Test
  void frequenciesOfDrawnSequencesFollowTheSoftmax() {
    float[] scores = {0.5f, -1, 2, NEVER, 0.5f, -3};
    NextToken model =
        (prefixes, starts) -> prefixes.stream().map(it -> scores.clone()).toArray(float[][]::new);
    Decoder decoder = new Decoder(model, -1, 2);
    int draws = 6_000;
    for (Sampling sampling :
        List.of(Sampling.plain(), new Sampling(1.7, 0, 1), new Sampling(0.8, 3, 1))) {
      Random random = new Random(sampling.topK());
      int[] counts = new int[scores.length];
      for (int i = 0; i < draws; i++) {
        counts[decoder.sample(sampling, random, 0).tokens()[1]]++;
      }
      double[] expected = expected(sampling, scores);
      for (int i = 0; i < scores.length; i++) {
        double deviation = Math.sqrt(draws * expected[i] * (1 - expected[i]));
        assertEquals(draws * expected[i], counts[i], 4 * deviation, sampling + ", token " + i);
      }
    }
  }

  @Test
  void onlyTheLikeliestOfTopKAreDrawn() {
    float[] scores = logarithms(0.1, 0.4, 0.2, 0.3);
    assertArrayEquals(new int[] {0, 100, 0, 0}, counts(new Sampling(1, 1, 1), 100, scores));
    assertArrayEquals(new int[] {0, 400, 0, 300}, counts(new Sampling(1, 2, 1), 700, scores));
    assertArrayEquals(new int[] {0, 400, 200, 300}, counts(new Sampling(1, 3, 1), 900, scores));
    for (int all : new int[] {0, 4, 5, Integer.MAX_VALUE}) {
      assertArrayEquals(
          new int[] {100, 400, 200, 300}, counts(new Sampling(1, all, 1), 1000, scores));
    }
  }

  @Test
  void onlyTheFewestThatSumToTopPAreDrawn() {
    float[] scores = logarithms(0.1, 0.4, 0.2, 0.3);
    for (double one : new double[] {Double.MIN_VALUE, 0.1, 0.39}) {
      assertArrayEquals(new int[] {0, 100, 0, 0}, counts(new Sampling(1, 0, one), 100, scores));
    }
    assertArrayEquals(new int[] {0, 400, 0, 300}, counts(new Sampling(1, 0, 0.69), 700, scores));
    assertArrayEquals(new int[] {0, 400, 200, 300}, counts(new Sampling(1, 0, 0.71), 900, scores));
    assertArrayEquals(
        new int[] {100, 400, 200, 300}, counts(new Sampling(1, 0, 0.91), 1000, scores));
    // Either cut holds.
    assertArrayEquals(new int[] {0, 100, 0, 0}, counts(new Sampling(1, 3, 0.3), 100, scores));
    assertArrayEquals(new int[] {0, 100, 0, 0}, counts(new Sampling(1, 1, 0.9), 100, scores));
  }

  @Test
  void aSumThatIsTopPExactlyIsEnough() {
    float[] equal = {-7, -7, -7, -7};
    assertArrayEquals(new int[] {100, 0, 0, 0}, counts(new Sampling(1, 0, 0.25), 100, equal));
    assertArrayEquals(new int[] {50, 50, 0, 0}, counts(new Sampling(1, 0, 0.5), 100, equal));
    assertArrayEquals(new int[] {50, 50, 50, 0}, counts(new Sampling(1, 0, 0.75), 150, equal));
    assertArrayEquals(
        new int[] {50, 50, 50, 50}, counts(new Sampling(1, 0, Math.nextUp(0.75)), 200, equal));
  }

  @Test
  void ofEqualTokensTheFirstAreKept() {
    float[] scores = {1, 2, 2, 1, 2};
    assertArrayEquals(new int[] {0, 50, 50, 0, 0}, counts(new Sampling(1, 2, 1), 100, scores));
    float[] zeros = {0f, -0f, 0f};
    assertArrayEquals(new int[] {50, 50, 0}, counts(new Sampling(1, 2, 1), 100, zeros));
  }

  @Test
  void greedyTakesTheFirstOfTheLikeliest() {
    assertArrayEquals(new int[] {0, 100, 0, 0}, counts(Sampling.greedy(), 100, 1, 3, 3, NEVER));
    assertThrows(
        IllegalStateException.class, () -> Sampling.greedy().draw(new float[] {0, Float.NaN}, 0));
  }

  @Test
  void withoutATemperatureToSpeakOfTheLikeliestIsDrawn() {
    for (double cold : new double[] {1e-6, 1e-30, 1e-45, 1e-300, Double.MIN_VALUE}) {
      Sampling sampling = new Sampling(cold, 0, 1);
      assertArrayEquals(
          new int[] {0, 100, 0}, counts(sampling, 100, -1e30f, 5, NEVER), "temperature " + cold);
      assertArrayEquals(
          new int[] {0, 0, 100}, counts(sampling, 100, -3, -2, -1), "temperature " + cold);
      assertArrayEquals(
          new int[] {50, 0, 50}, counts(sampling, 100, 1e38f, -3, 1e38f), "temperature " + cold);
    }
  }

  @Test
  void inGreatHeatAllThatIsPossibleIsEquallyLikely() {
    Sampling sampling = new Sampling(Double.MAX_VALUE, 0, 1);
    assertArrayEquals(new int[] {100, 100, 0, 100}, counts(sampling, 300, 3e38f, 1, NEVER, -3e38f));
  }

  @Test
  void temperatureDividesTheScores() {
    float[] scores = {0.5f, -1, 2, 4};
    assertArrayEquals(
        counts(Sampling.plain(), 1000, 0.25f, -0.5f, 1, 2),
        counts(new Sampling(2, 0, 1), 1000, scores));
  }

  @Test
  void theFirstChanceFallsOnTheLikeliestAndTheLastOnTheUnlikeliest() {
    Random random = new Random(2);
    for (int n = 0; n < 150; n++) {
      // Sums of many terms are rounded; the last chance is nearer to 1 than that.
      int possible = 1 + random.nextInt(400);
      float[] scores = new float[possible + 50];
      Arrays.fill(scores, NEVER);
      for (int i = 0; i < possible; i++) {
        scores[i] = (float) (0.5 * random.nextGaussian());
      }
      int most = 0;
      int least = 0;
      for (int i = 1; i < possible; i++) {
        most = scores[i] > scores[most] ? i : most;
        least = scores[i] <= scores[least] ? i : least;
      }
      String which = n + ": " + possible + " tokens";
      assertEquals(most, Sampling.plain().draw(scores, 0), which);
      assertEquals(least, Sampling.plain().draw(scores, LAST), which);
      Sampling more = new Sampling(1, possible + 20, 1);
      assertEquals(least, more.draw(scores, LAST), which);
    }
  }

  @Test
  void theWholeProbabilityKeepsUnlikelyTokens() {
    for (int tail = 1; tail < 90; tail++) {
      float[] scores = new float[10 + tail];
      Arrays.fill(scores, -16);
      for (int i = 0; i < 10; i++) {
        scores[i] = i * 0.01f * tail;
      }
      assertEquals(
          scores.length - 1, Sampling.plain().draw(scores, 1 - 1e-12), tail + " unlikely tokens");
    }
  }

  @Test
  void whatIsNoTemperatureOrNoCutIsRefused() {
    for (double wrong :
        new double[] {-1, -Double.MIN_VALUE, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> new Sampling(wrong, 0, 1));
    }
    for (double wrong : new double[] {0, -0.5, Math.nextUp(1.0), Double.NaN}) {
      assertThrows(IllegalArgumentException.class, () -> new Sampling(1, 0, wrong));
    }
    String message =
        assertThrows(IllegalArgumentException.class, () -> new Sampling(1, -1, 1)).getMessage();
    assertTrue(message.contains("topK is -1"), message);
  }
}
