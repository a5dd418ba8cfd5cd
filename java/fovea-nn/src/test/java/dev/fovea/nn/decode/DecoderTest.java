package dev.fovea.nn.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class DecoderTest {
  private static final float NEVER = Float.NEGATIVE_INFINITY;

  /** Scores that depend on the last token alone. */
  private record Table(float[]... rows) implements NextToken {
    @Override
    public float[][] logits(List<int[]> prefixes, int[] starts) {
      return prefixes.stream().map(it -> rows[it[it.length - 1]].clone()).toArray(float[][]::new);
    }
  }

  /** Scores that depend on the whole prefix; refuses what no decoder may ask for. */
  private static final class Drawn implements NextToken {
    private final long seed;
    private final int vocabulary;
    private final double spread;
    private final int longest;
    private int asked;

    Drawn(long seed, int vocabulary, double spread, int longest) {
      this.seed = seed;
      this.vocabulary = vocabulary;
      this.spread = spread;
      this.longest = longest;
    }

    private float[] row(int[] prefix) {
      Random random = new Random(31 * seed + Arrays.hashCode(prefix));
      random.nextLong();
      float[] row = new float[vocabulary];
      for (int i = 0; i < vocabulary; i++) {
        row[i] = (float) (spread * random.nextGaussian());
      }
      return row;
    }

    @Override
    public float[][] logits(List<int[]> prefixes, int[] starts) {
      asked++;
      Set<List<Integer>> different = new HashSet<>();
      for (int[] prefix : prefixes) {
        assertEquals(prefixes.getFirst().length, prefix.length, "prefixes of several lengths");
        assertTrue(prefix.length < longest, "asked behind the longest");
        assertTrue(different.add(Arrays.stream(prefix).boxed().toList()), "asked twice");
      }
      return prefixes.stream().map(this::row).toArray(float[][]::new);
    }

    /** In float64, from the definition. */
    double logProbability(int[] prefix, int token) {
      float[] row = row(prefix);
      double sum = 0;
      for (float score : row) {
        sum += Math.exp(score);
      }
      return Math.log(Math.exp(row[token]) / sum);
    }
  }

  private record Search(Drawn model, int end, int longest, double penalty, int[] start) {
    static Search random(Random random, int mostSteps) {
      int vocabulary = 2 + random.nextInt(3);
      int[] start = new int[1 + random.nextInt(2)];
      Arrays.setAll(start, i -> random.nextInt(vocabulary));
      int longest = start.length + random.nextInt(mostSteps + 1);
      double spread = random.nextInt(4) * 1.2 + 0.1;
      Drawn model = new Drawn(random.nextLong(), vocabulary, spread, longest);
      int end = random.nextInt(vocabulary + 1) - 1;
      double penalty = random.nextInt(3) == 0 ? 0 : 2 * random.nextDouble();
      return new Search(model, end, longest, penalty, start);
    }

    Decoder decoder() {
      return new Decoder(model, end, longest);
    }

    double value(Hypothesis it) {
      int n = it.tokens().length - start.length;
      return it.logProbability() / Math.pow((5 + n) / 6.0, penalty);
    }

    boolean isComplete(Hypothesis it) {
      return it.isEnded() || it.tokens().length >= longest;
    }

    List<Hypothesis> longer(Hypothesis it) {
      List<Hypothesis> all = new ArrayList<>();
      for (int token = 0; token < model.vocabulary; token++) {
        int[] tokens = Arrays.copyOf(it.tokens(), it.tokens().length + 1);
        tokens[tokens.length - 1] = token;
        double more = model.logProbability(it.tokens(), token);
        all.add(new Hypothesis(tokens, it.logProbability() + more, token == end));
      }
      return all;
    }

    void each(Hypothesis begun, Consumer<Hypothesis> complete) {
      if (isComplete(begun)) {
        complete.accept(begun);
      } else {
        longer(begun).forEach(it -> each(it, complete));
      }
    }

    /** Every sequence there is, the best first. */
    List<Hypothesis> exhaustive() {
      List<Hypothesis> all = new ArrayList<>();
      each(new Hypothesis(start, 0, false), all::add);
      all.sort(Comparator.comparingDouble(this::value).reversed());
      return all;
    }

    /** Beam search that goes on to the longest, whatever has ended. */
    List<Hypothesis> patient(int width) {
      List<Hypothesis> complete = new ArrayList<>();
      List<Hypothesis> open = List.of(new Hypothesis(start, 0, false));
      while (!open.isEmpty()) {
        complete.addAll(open.stream().filter(this::isComplete).toList());
        open =
            open.stream()
                .filter(it -> !isComplete(it))
                .flatMap(it -> longer(it).stream())
                .sorted(Comparator.comparingDouble(Hypothesis::logProbability).reversed())
                .limit(width)
                .toList();
      }
      complete.sort(Comparator.comparingDouble(this::value).reversed());
      return complete.subList(0, Math.min(width, complete.size()));
    }

    @Override
    public String toString() {
      return "model %d of %d tokens, end %d, longest %d, penalty %s, start %s"
          .formatted(model.seed, model.vocabulary, end, longest, penalty, Arrays.toString(start));
    }
  }

  private static void assertSame(List<Hypothesis> expected, List<Hypothesis> found, String which) {
    assertEquals(expected.size(), found.size(), which);
    for (int i = 0; i < expected.size(); i++) {
      assertSame(expected.get(i), found.get(i), which + ", number " + i);
    }
  }

  private static void assertSame(Hypothesis expected, Hypothesis found, String which) {
    assertArrayEquals(expected.tokens(), found.tokens(), which);
    assertEquals(expected.logProbability(), found.logProbability(), 1e-9, which);
    assertEquals(expected.isEnded(), found.isEnded(), which);
  }

  @Test
  void greedyTakesTheLikeliestUntilTheEndToken() {
    Decoder decoder =
        new Decoder(new Table(new float[] {9, 1, 2}, new float[] {3, 0, 3.5f}, null), 2, 10);
    assertEquals(
        new Decoder(new Table(new float[] {0, 1, 0}, new float[] {0, 0, 1}, null), 2, 10).greedy(0),
        new Decoder(new Table(new float[] {7, 8, 7}, new float[] {7, 7, 8}, null), 2, 10).greedy(0),
        "a constant for all scores changes nothing");
    Hypothesis ended = decoder.greedy(0, 1);
    assertArrayEquals(new int[] {0, 1, 2}, ended.tokens());
    assertTrue(ended.isEnded());
    double sum = Math.exp(3) + 1 + Math.exp(3.5);
    assertEquals(Math.log(Math.exp(3.5) / sum), ended.logProbability(), 1e-12);
    Hypothesis cut = decoder.greedy(0);
    assertArrayEquals(new int[10], cut.tokens());
    assertFalse(cut.isEnded());
    double each = Math.log(Math.exp(9) / (Math.exp(9) + Math.exp(1) + Math.exp(2)));
    assertEquals(9 * each, cut.logProbability(), 1e-12);
  }

  @Test
  void ofEqualTokensGreedyTakesTheFirst() {
    Decoder decoder = new Decoder(new Table(new float[] {1, 2, 2}, new float[] {0, 0, 0}), -1, 3);
    assertArrayEquals(new int[] {0, 1, 0}, decoder.greedy(0).tokens());
    assertArrayEquals(new int[] {0, 1, 0}, decoder.beam(1, 0, 0).getFirst().tokens());
  }

  @Test
  void scoresThatDifferByAHairAreNotEqual() {
    for (float base : new float[] {0, 1, -40, 3e5f}) {
      float[] row = new float[50];
      Arrays.fill(row, base);
      row[17] = base == 0 ? 1e-8f : Math.nextUp(base);
      float[][] rows = new float[50][];
      Arrays.fill(rows, row);
      Decoder decoder = new Decoder(new Table(rows), -1, 3);
      assertArrayEquals(new int[] {0, 17, 17}, decoder.greedy(0).tokens(), "base " + base);
      assertArrayEquals(
          new int[] {0, 17, 17}, decoder.beam(1, 0, 0).getFirst().tokens(), "base " + base);
    }
  }

  @Test
  void withoutAnEndTokenASequenceGoesToTheLongest() {
    Drawn model = new Drawn(5, 4, 1, 6);
    Decoder decoder = new Decoder(model, -1, 6);
    List<Hypothesis> all = new ArrayList<>(decoder.beam(3, 1, 2));
    all.add(decoder.greedy(2));
    all.add(decoder.sample(Sampling.plain(), new Random(1), 2));
    for (Hypothesis it : all) {
      assertEquals(6, it.tokens().length);
      assertFalse(it.isEnded());
    }
  }

  @Test
  void aBeginningOfTheLongestOrMoreStaysAsItIs() {
    NextToken none =
        (prefixes, starts) -> {
          throw new AssertionError("asked");
        };
    for (int longest : new int[] {1, 3, 4}) {
      Decoder decoder = new Decoder(none, 1, longest);
      Hypothesis same = new Hypothesis(new int[] {1, 0, 2, 1}, 0, false);
      assertEquals(same, decoder.greedy(1, 0, 2, 1));
      assertEquals(List.of(same), decoder.beam(2, 0.6, 1, 0, 2, 1));
      assertEquals(same, decoder.sample(Sampling.plain(), new Random(1), 1, 0, 2, 1));
    }
  }

  @Test
  void beamsForAllSequencesFindWhatAnExhaustiveSearchFinds() {
    Random random = new Random(1);
    for (int n = 0; n < 150; n++) {
      Search search = Search.random(random, 4);
      List<Hypothesis> all = search.exhaustive();
      List<Hypothesis> found = search.decoder().beam(all.size(), search.penalty, search.start);
      assertSame(all, found, n + ": " + search);
    }
  }

  @Test
  void earlyStoppingLosesNothing() {
    Random random = new Random(2);
    int early = 0;
    for (int n = 0; n < 300; n++) {
      Search search = Search.random(random, 9);
      int width = 1 + random.nextInt(12);
      String which = n + ": width " + width + ", " + search;
      search.model.asked = 0;
      List<Hypothesis> found = search.decoder().beam(width, search.penalty, search.start);
      early += search.model.asked < search.longest - search.start.length ? 1 : 0;
      assertSame(search.patient(width), found, which);
    }
    assertTrue(early > 30, early + " searches ended early");
  }

  @Test
  void aSearchEndsWhenNothingCanBecomeBetter() {
    int[] asked = {0};
    NextToken model =
        (prefixes, starts) -> {
          asked[0]++;
          return prefixes.stream().map(it -> new float[] {0, 5, 0}).toArray(float[][]::new);
        };
    List<Hypothesis> found = new Decoder(model, 1, 1000).beam(2, 0, 0);
    assertArrayEquals(new int[] {0, 1}, found.getFirst().tokens());
    assertTrue(asked[0] <= 3, asked[0] + " steps");
  }

  @Test
  void oneBeamIsGreedy() {
    Random random = new Random(3);
    for (int n = 0; n < 200; n++) {
      Search search = Search.random(random, 9);
      Hypothesis greedy = search.decoder().greedy(search.start);
      List<Hypothesis> beam = search.decoder().beam(1, search.penalty, search.start);
      assertEquals(List.of(greedy), beam, n + ": " + search);
    }
  }

  @Test
  void aLongerSequenceGainsByALengthPenalty() {
    float likely = (float) Math.log(0.6);
    float unlikely = (float) Math.log(0.4);
    // End at once: 0.4; else 0.6 * 0.6: longer and less likely.
    Table model =
        new Table(
            new float[] {NEVER, likely, unlikely}, new float[] {unlikely, NEVER, likely}, null);
    Decoder decoder = new Decoder(model, 2, 3);
    assertArrayEquals(new int[] {0, 2}, decoder.beam(3, 0, 0).getFirst().tokens());
    assertArrayEquals(new int[] {0, 1, 2}, decoder.beam(3, 1, 0).getFirst().tokens());
  }

  @Test
  void moreBeamsThanSequencesFindThemAll() {
    Decoder decoder = new Decoder(new Table(new float[] {1, 3, 2}, null, null), -1, 2);
    List<Hypothesis> found = decoder.beam(1000, 0.5, 0);
    assertEquals(
        List.of(1, 2, 0), found.stream().map(it -> it.tokens()[1]).toList(), found.toString());
    double sum = found.stream().mapToDouble(it -> Math.exp(it.logProbability())).sum();
    assertEquals(1, sum, 1e-12);
  }

  @Test
  void whatIsImpossibleIsNoHypothesis() {
    Table model =
        new Table(new float[] {NEVER, 1, NEVER}, new float[] {1, NEVER, NEVER}, new float[3]);
    for (int end = -1; end < 3; end++) {
      List<Hypothesis> found = new Decoder(model, end, 4).beam(5, 0.6, 0);
      assertEquals(1, found.size(), "end " + end + ": " + found);
      assertEquals(0, found.getFirst().logProbability());
    }
  }

  @Test
  void theBeginningIsNotCounted() {
    Decoder decoder = new Decoder(new Drawn(1, 3, 1, 6), 2, 6);
    int[] start = {0, 1, 0};
    List<Hypothesis> found = decoder.beam(4, 1, start);
    start[0] = 2;
    for (Hypothesis it : found) {
      assertArrayEquals(new int[] {0, 1, 0}, Arrays.copyOf(it.tokens(), 3));
    }
    assertArrayEquals(new int[] {2, 1, 0}, start);
  }

  @Test
  void scoresThatAreNoNumbersAreRefused() {
    List<float[]> wrong = new ArrayList<>();
    for (float score : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int i = 0; i < 3; i++) {
        float[] row = {1, 2, NEVER};
        row[i] = score;
        wrong.add(row);
      }
    }
    wrong.add(new float[] {NEVER, NEVER, NEVER});
    for (float[] row : wrong) {
      Decoder decoder = new Decoder(new Table(row, row, row), -1, 3);
      Sampling one = new Sampling(0.1, 1, 0.5);
      for (Runnable run :
          List.<Runnable>of(
              () -> decoder.greedy(0),
              () -> decoder.beam(2, 0, 0),
              () -> decoder.sample(Sampling.plain(), new Random(1), 0),
              () -> decoder.sample(one, new Random(1), 0))) {
        String message = assertThrows(IllegalStateException.class, run::run).getMessage();
        assertTrue(message.startsWith("the model's score"), message);
      }
    }
  }

  /** What each begins is told to the model: the same prefix means something else for another. */
  @Test
  void manySequencesAreDecodedAsEachAlone() {
    for (int seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      int count = random.nextInt(6);
      int longest = 1 + random.nextInt(8);
      Drawn[] models = new Drawn[count];
      List<int[]> starts = new ArrayList<>();
      List<Hypothesis> alone = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        models[i] = new Drawn(random.nextLong(), 4, 1, longest);
        starts.add(new int[] {random.nextInt(4)});
        alone.add(new Decoder(models[i], 2, longest).greedy(starts.get(i)));
      }
      int[] asked = {0};
      NextToken all =
          (prefixes, of) -> {
            asked[0]++;
            assertEquals(prefixes.size(), of.length);
            float[][] rows = new float[of.length][];
            Arrays.setAll(rows, i -> models[of[i]].row(prefixes.get(i)));
            return rows;
          };
      assertEquals(alone, new Decoder(all, 2, longest).greedy(starts), "seed " + seed);
      int steps = Arrays.stream(models).mapToInt(it -> it.asked).max().orElse(0);
      assertEquals(steps, asked[0], "seed " + seed + ": all that go on are asked for together");
    }
  }

  @Test
  void startsOfSeveralLengthsAreRefused() {
    Decoder decoder = new Decoder(new Table(new float[] {1, 2}, new float[] {1, 2}), -1, 3);
    List<int[]> starts = List.of(new int[] {0}, new int[] {0, 1});
    String message =
        assertThrows(IllegalArgumentException.class, () -> decoder.greedy(starts)).getMessage();
    assertEquals("starts have 1 and 2 tokens, expected one length", message);
  }

  @Test
  void aModelThatGivesNotOneRowForEachPrefixIsRefused() {
    float[] row = {1, 2};
    for (float[][] rows : new float[][][] {{}, {row, row}, {{}}, {row, row, row}}) {
      Decoder decoder = new Decoder((prefixes, starts) -> rows, -1, 3);
      assertThrows(IllegalStateException.class, () -> decoder.greedy(0), Arrays.toString(rows));
    }
    NextToken ragged =
        (prefixes, starts) ->
            prefixes.size() == 1 ? new float[][] {row.clone()} : new float[][] {row.clone(), {}};
    String message =
        assertThrows(IllegalStateException.class, () -> new Decoder(ragged, -1, 3).beam(2, 0, 0))
            .getMessage();
    assertEquals("the model gave 0 scores for prefix 1, expected 2", message);
  }

  @Test
  void whatCannotBeDecodedIsRefused() {
    NextToken model = new Table(new float[] {1, 2}, new float[] {1, 2});
    Decoder decoder = new Decoder(model, -1, 3);
    assertThrows(IllegalArgumentException.class, () -> new Decoder(model, -1, 0));
    assertThrows(NullPointerException.class, () -> new Decoder(null, -1, 1));
    assertThrows(IllegalArgumentException.class, decoder::greedy);
    assertThrows(IllegalArgumentException.class, () -> decoder.beam(1, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> decoder.sample(Sampling.plain(), new Random(1), new int[0]));
    assertThrows(IllegalArgumentException.class, () -> decoder.beam(0, 0, 0));
    for (double penalty :
        new double[] {-1e-9, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
      assertThrows(
          IllegalArgumentException.class, () -> decoder.beam(1, penalty, 0), "penalty " + penalty);
    }
  }

  @Test
  void theSameSeedDrawsTheSameSequence() {
    Decoder decoder = new Decoder(new Drawn(7, 5, 1, 40), -1, 40);
    Sampling sampling = new Sampling(0.9, 4, 0.95);
    Hypothesis first = decoder.sample(sampling, new Random(3), 1);
    assertEquals(first, decoder.sample(sampling, new Random(3), 1));
    assertNotEquals(first, decoder.sample(sampling, new Random(4), 1));
  }

  @Test
  void aDrawnSequenceHasTheProbabilityOfTheModelAsItIs() {
    Drawn model = new Drawn(8, 5, 2, 20);
    Random random = new Random(5);
    for (Sampling sampling :
        List.of(Sampling.plain(), new Sampling(0.3, 2, 1), new Sampling(3, 0, 0.5))) {
      Hypothesis it = new Decoder(model, 4, 20).sample(sampling, random, 0);
      double sum = 0;
      for (int i = 1; i < it.tokens().length; i++) {
        sum += model.logProbability(Arrays.copyOf(it.tokens(), i), it.tokens()[i]);
      }
      assertEquals(sum, it.logProbability(), 1e-9, sampling.toString());
    }
  }

  @Test
  void hypothesesAreEqualByTheirTokens() {
    Hypothesis it = new Hypothesis(new int[] {1, 2}, -0.5, true);
    Hypothesis same = new Hypothesis(new int[] {1, 2}, -0.5, true);
    assertEquals(it, same);
    assertEquals(it.hashCode(), same.hashCode());
    assertNotEquals(it, new Hypothesis(new int[] {2, 1}, -0.5, true));
    assertNotEquals(it, new Hypothesis(new int[] {1, 2}, -0.6, true));
    assertNotEquals(it, new Hypothesis(new int[] {1, 2}, -0.5, false));
  }
}
