package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Language models: whole sequences, and the same in parts with a cache. */
class TransformerLmTest {
  private static final int WORDS = 11;
  private static final int WIDTH = 24;
  private static final int HEADS = 3;
  private static final int DIM = WIDTH / HEADS;
  private static final int LAYERS = 2;
  private static final int LONGEST = 40;
  private static final int PAGE = 4;

  private static TransformerConfig config() {
    return TransformerConfig.of(WIDTH, HEADS);
  }

  private static TransformerLm model(TransformerConfig config, Embedding embedding) {
    TransformerLm model = new TransformerLm(embedding, config, LAYERS);
    model.train(false);
    return model;
  }

  private static Embedding words() {
    return new Embedding(WORDS, WIDTH);
  }

  private static Map<String, TransformerLm> models() {
    TransformerConfig llama =
        config().keyHeads(1).rmsNorm().swiGlu(30).noBias().positions(Positions.rotary(LONGEST, 6));
    Attention window = Attention.builder().causal().window(5, 0).build();
    return Map.of(
        "LLaMA", model(llama, words()),
        "GPT", model(config(), words().learnedPositions(LONGEST)),
        "the first transformer", model(config().postNorm(), words().sinusoidalPositions(LONGEST)),
        "ALiBi", model(config().positions(Positions.alibi(HEADS)), words()),
        "T5", model(config().positions(Positions.relative(HEADS, false, 8, 20)), words()),
        "a window", model(llama.attention(window), words()),
        "no positions", model(config(), words()));
  }

  /** Pages of three sequences, in any order, and what a step adds to them. */
  private static final class Cache {
    private static final int SEQUENCES = 3;
    private final int columns = LONGEST / PAGE;
    private final int[] lengths = new int[SEQUENCES];
    private final Tensor starts;
    private final Tensor counts;
    private final Tensor ends;
    private final Tensor offsets;
    private final CachedRows rows;

    Cache(Scope scope, int keyHeads, int layers) {
      List<Integer> pages =
          new ArrayList<>(IntStream.range(0, SEQUENCES * columns).boxed().toList());
      Collections.shuffle(pages, new Random(5));
      int[] table = pages.stream().mapToInt(it -> it).toArray();
      starts = scope.allocate(DType.INT32, SEQUENCES);
      counts = scope.allocate(DType.INT32, SEQUENCES);
      ends = scope.allocate(DType.INT32, SEQUENCES);
      offsets = scope.allocate(DType.INT32, SEQUENCES + 1);
      List<CachedRows.Layer> all = new ArrayList<>();
      for (int i = 0; i < layers; i++) {
        long[] shape = {table.length, PAGE, keyHeads, DIM};
        all.add(
            new CachedRows.Layer(
                scope.allocate(DType.FLOAT32, shape).fill(Float.NaN),
                scope.allocate(DType.FLOAT32, shape).fill(Float.NaN),
                null,
                null));
      }
      rows =
          new CachedRows(
              all, scope.copyOf(table, SEQUENCES, columns), LONGEST, starts, counts, ends, offsets);
    }

    void extend(int[] added) {
      int[] begins = new int[SEQUENCES + 1];
      starts.copyFrom(lengths);
      for (int i = 0; i < SEQUENCES; i++) {
        lengths[i] += added[i];
        begins[i + 1] = begins[i] + added[i];
      }
      counts.copyFrom(added);
      ends.copyFrom(lengths);
      offsets.copyFrom(begins);
    }
  }

  private static int[][] sequences() {
    Random random = new Random(9);
    int[][] all = new int[Cache.SEQUENCES][];
    for (int i = 0; i < all.length; i++) {
      all[i] = random.ints(LONGEST - 7 * i, 0, WORDS).toArray();
    }
    return all;
  }

  private static float[] whole(Tape tape, TransformerLm model, int[] tokens) {
    tape.begin();
    Variable ids = tape.input(DType.INT32, 1, tokens.length);
    ids.value().copyFrom(tokens);
    return model.forward(ids).value().toFloatArray();
  }

  private static Variable ints(Tape tape, int[] values, long... shape) {
    Variable it = tape.input(DType.INT32, shape);
    it.value().copyFrom(values);
    return it;
  }

  /** Scores of all tokens, computed in parts of random sizes, packed or padded. */
  private static float[][] inParts(
      Tape tape, TransformerLm model, Cache cache, int[][] all, boolean packed, long seed) {
    Random random = new Random(seed);
    float[][] scores = new float[all.length][];
    Arrays.setAll(scores, i -> new float[all[i].length * WORDS]);
    int[] done = new int[all.length];
    while (IntStream.range(0, all.length).anyMatch(i -> done[i] < all[i].length)) {
      int[] added = new int[all.length];
      int size = random.nextInt(3) == 0 ? 9 : 2;
      Arrays.setAll(added, i -> Math.min(random.nextInt(size), all[i].length - done[i]));
      cache.extend(added);
      int total = Arrays.stream(added).sum();
      int longest = Math.max(1, Arrays.stream(added).max().orElseThrow());
      int rows = packed ? total : all.length * longest;
      if (rows == 0) {
        continue;
      }
      int[] tokens = new int[rows];
      int[] positions = new int[rows];
      int[] first = new int[all.length];
      int row = 0;
      for (int i = 0; i < all.length; i++) {
        first[i] = packed ? row : i * longest;
        for (int j = 0; j < added[i]; j++) {
          tokens[first[i] + j] = all[i][done[i] + j];
          positions[first[i] + j] = done[i] + j;
        }
        row += added[i];
      }
      long[] shape = packed ? new long[] {rows} : new long[] {all.length, longest};
      tape.begin();
      Variable ids = ints(tape, tokens, shape);
      Variable out = model.forward(ids, ints(tape, positions, shape), cache.rows, null);
      float[] found = out.value().toFloatArray();
      for (int i = 0; i < all.length; i++) {
        System.arraycopy(found, first[i] * WORDS, scores[i], done[i] * WORDS, added[i] * WORDS);
        done[i] += added[i];
      }
    }
    return scores;
  }

  private static void check(Device device, boolean exact, double tolerance) {
    int[][] all = sequences();
    models()
        .forEach(
            (name, model) -> {
              boolean grouped = name.equals("LLaMA") || name.equals("a window");
              try (Scope scope = Scope.open(device);
                  Parameters parameters = Parameters.of(model, device, 3);
                  Tape tape = exact ? Tape.batchInvariant(device, 2) : Tape.inference(device)) {
                assertTrue(parameters.count() > 0);
                for (boolean packed : new boolean[] {true, false}) {
                  Cache cache = new Cache(scope, grouped ? 1 : HEADS, LAYERS);
                  float[][] parts = inParts(tape, model, cache, all, packed, packed ? 1 : 2);
                  for (int i = 0; i < all.length; i++) {
                    String which = name + ", packed " + packed + ", sequence " + i;
                    assertArrayEquals(
                        whole(tape, model, all[i]), parts[i], (float) tolerance, which);
                  }
                }
              }
            });
  }

  @Test
  void partsWithACacheHaveTheBitsOfTheWhole() {
    check(Device.cpu(), true, 0);
  }

  @Test
  void fastProductsRoundDifferently() {
    check(Device.cpu(), false, 2e-5);
  }

  @Test
  void partsOnADevice() {
    check(GradientCheck.simulated(), false, 2e-5);
  }

  @Test
  void onlySomeScoresAreComputed() {
    TransformerLm model = models().get("LLaMA");
    try (Scope scope = Scope.open();
        Parameters parameters = Parameters.of(model, Device.cpu(), 3);
        Tape tape = Tape.batchInvariant(Device.cpu(), 1)) {
      assertTrue(parameters.count() > 0);
      float[] all = whole(tape, model, new int[] {4, 2, 1, 7});
      Cache cache = new Cache(scope, 1, LAYERS);
      cache.extend(new int[] {0, 4, 0});
      tape.begin();
      Variable ids = ints(tape, new int[] {4, 2, 1, 7}, 4);
      Variable at = ints(tape, new int[] {0, 1, 2, 3}, 4);
      Variable wanted = ints(tape, new int[] {3, 1}, 2);
      Variable out = model.forward(ids, at, cache.rows, wanted);
      assertArrayEquals(new long[] {2, WORDS}, out.shape());
      float[] found = out.value().toFloatArray();
      assertArrayEquals(Arrays.copyOfRange(all, 3 * WORDS, 4 * WORDS), Arrays.copyOf(found, WORDS));
      assertArrayEquals(
          Arrays.copyOfRange(all, WORDS, 2 * WORDS), Arrays.copyOfRange(found, WORDS, 2 * WORDS));
    }
  }

  /** Bits of a row must not depend on the others, nor on how many there are. */
  @Test
  void rowsOfABatchInvariantTapeAreAlone() {
    Random random = new Random(2);
    for (int[] size : new int[][] {{7, 5}, {96, 384}, {500, 33}, {40, 1030}}) {
      Linear linear = new Linear(size[1], size[0]);
      try (Parameters parameters = Parameters.of(linear, Device.cpu(), 1);
          Tape tape = Tape.batchInvariant(Device.cpu(), 3)) {
        assertTrue(parameters.count() > 0);
        float[] x = new float[37 * size[1]];
        for (int i = 0; i < x.length; i++) {
          x[i] = (float) random.nextGaussian();
        }
        float[] all = rows(tape, linear, x);
        for (int row : new int[] {0, 5, 36}) {
          float[] one = Arrays.copyOfRange(x, row * size[1], (row + 1) * size[1]);
          assertArrayEquals(
              Arrays.copyOfRange(all, row * size[0], (row + 1) * size[0]), rows(tape, linear, one));
        }
      }
    }
  }

  private static float[] rows(Tape tape, Linear linear, float[] values) {
    int width = Math.toIntExact(linear.weight().shape()[1]);
    tape.begin();
    Variable x = tape.input(DType.FLOAT32, values.length / width, width);
    x.value().copyFrom(values);
    return linear.forward(x).value().toFloatArray();
  }

  @Test
  void whatCannotBe() {
    TransformerLm model = models().get("LLaMA");
    assertEquals(WORDS, model.vocabulary());
    assertThrows(
        IllegalArgumentException.class,
        () -> new TransformerLm(new Embedding(WORDS, WIDTH + 1), config(), 1));
    MultiHeadAttention attention = MultiHeadAttention.self(WIDTH, HEADS, Attention.create());
    attention.positions(Positions.rotary(LONGEST, DIM));
    try (Scope scope = Scope.open();
        Parameters parameters = Parameters.of(model, Device.cpu(), 3);
        Parameters others = Parameters.of(attention, Device.cpu(), 3);
        Tape training = Tape.open(Device.cpu());
        Tape tape = Tape.inference(Device.cpu())) {
      assertTrue(parameters.count() + others.count() > 0);
      Cache cache = new Cache(scope, 1, LAYERS);
      cache.extend(new int[] {1, 0, 0});
      int[] zero = {0};
      assertThrows(
          IllegalStateException.class,
          () -> model.forward(ints(training, zero, 1), ints(training, zero, 1), cache.rows, null));
      Cache few = new Cache(scope, 1, 1);
      few.extend(new int[] {1, 0, 0});
      assertThrows(
          IllegalArgumentException.class,
          () -> model.forward(ints(tape, zero, 1), ints(tape, zero, 1), few.rows, null));
      Variable x = tape.input(DType.FLOAT32, 1, WIDTH);
      assertThrows(
          IllegalArgumentException.class,
          () -> attention.forward(x, Operands.none(), cache.rows, 0));
      attention.observe(it -> {});
      Operands at = Operands.of("position_ids", ints(tape, zero, 1, 1));
      assertThrows(IllegalStateException.class, () -> attention.forward(x, at, cache.rows, 0));
      attention.observe(null);
      assertThrows(
          IllegalArgumentException.class, () -> attention.forward(x, at, cache.rows, LAYERS));
    }
  }
}
