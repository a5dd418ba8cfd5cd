package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.RotaryEmbedding;
import dev.fovea.Tensor;
import dev.fovea.nn.Reference.Bias;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** Self-attention that knows positions, by each of {@link Positions}. */
class PositionsTest {
  private static final double TOLERANCE = 1e-5;
  private static final Attention CAUSAL = Attention.builder().causal().build();
  private static final int BATCH = 2;
  private static final int LENGTH = 5;
  private static final int WIDTH = 12;
  private static final int HEADS = 3;
  private static final int DIM = 4;

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  private static GradientCheck.Inputs<MultiHeadAttention> module(
      Attention attention, Positions positions, long... shape) {
    return new GradientCheck.Inputs<>(
            MultiHeadAttention.self(WIDTH, HEADS, attention).positions(positions))
        .with("x", shape);
  }

  private static Variable ints(Tape tape, String name, int[] values, long... shape) {
    return tape.constant(name, scope -> scope.copyOf(values, shape));
  }

  /** With {@code position_ids}, or without. */
  private static void checkRotary(Device device, int[] ids, int sequences, double tolerance) {
    var module = module(Attention.create(), Positions.rotary(40, DIM), BATCH, LENGTH, WIDTH);
    IntUnaryOperator position =
        row -> ids == null ? row % LENGTH : ids[sequences == 1 ? row % LENGTH : row];
    TransformerReference reference = new TransformerReference(WIDTH, HEADS);
    reference.self = reference.padded(BATCH, Bias.none());
    reference.turn = (x, heads) -> Reference.rotate(x, heads, DIM, DIM, 10_000, position);
    GradientCheck.check(
        device,
        module,
        tape -> {
          Operands more = Operands.none();
          if (ids != null) {
            more.with("position_ids", ints(tape, "ids", ids, sequences, LENGTH));
          }
          return module.module.forward(module.get(tape, "x"), more);
        },
        p -> reference.selfAttention(p, "module", p.get("x")),
        tolerance);
  }

  @Test
  void rotary() {
    for (Device device : devices()) {
      checkRotary(device, null, 0, TOLERANCE);
      checkRotary(device, new int[] {7, 0, 39, 7, 3}, 1, TOLERANCE);
      checkRotary(device, new int[] {0, 1, 2, 0, 1, 30, 20, 10, 5, 0}, BATCH, TOLERANCE);
    }
  }

  /** A shift of all positions changes nothing: scores depend on distances alone. */
  @Test
  void rotaryKnowsDistancesAlone() {
    var module = module(Attention.create(), Positions.rotary(100, DIM), 1, LENGTH, WIDTH);
    try (Parameters parameters = Parameters.of(module, Device.cpu(), 5);
        Tape tape = Tape.open(Device.cpu())) {
      Variable first = module.module.forward(module.get(tape, "x"));
      float[] unshifted = first.value().toFloatArray();
      Operands more =
          Operands.of("position_ids", ints(tape, "at", new int[] {50, 51, 52, 53, 54}, 1, LENGTH));
      float[] shifted = module.module.forward(module.get(tape, "x"), more).value().toFloatArray();
      assertArrayEquals(unshifted, shifted, 1e-6f);
      assertEquals(more.names(), List.of("position_ids"), "the caller's operands stay");
      assertEquals(WIDTH * (4 * WIDTH + 4 + LENGTH), parameters.count());
    }
  }

  /** Pairs side by side, a part of each row, another base, fewer heads of keys. */
  @Test
  void rotaryOfAPartAndOfNeighbours() {
    int pairs = 1;
    for (Device device : devices()) {
      var sizes = new MultiHeadAttention.Sizes(WIDTH, WIDTH, 4, 2, 3, false);
      var attention =
          MultiHeadAttention.self(sizes, CAUSAL)
              .positions(Positions.rotary(RotaryEmbedding.interleaved(), 9, 2 * pairs, 100));
      var module = new GradientCheck.Inputs<>(attention).with("x", BATCH, LENGTH, WIDTH);
      GradientCheck.check(
          device,
          module,
          tape -> module.module.forward(module.get(tape, "x")),
          p -> {
            double[] in =
                Reference.linear(
                    p.get("x"), p.get("module.query_key_value.weight"), null, WIDTH, 24);
            // One pair: neighbours are the two halves.
            double[] q =
                Reference.rotate(Reference.columns(in, 24, 0, 12), 4, 3, 2, 100, r -> r % LENGTH);
            double[] k =
                Reference.rotate(Reference.columns(in, 24, 12, 6), 2, 3, 2, 100, r -> r % LENGTH);
            double[] v = Reference.columns(in, 24, 18, 6);
            return Reference.linear(
                Reference.attention(q, k, v, BATCH, 4, 2, 3, true),
                p.get("module.out.weight"),
                null,
                12,
                WIDTH);
          },
          TOLERANCE);
    }
  }

  /** Packed rows have positions of their own sequence only if these are given. */
  @Test
  void rotaryOfPackedSequences() {
    int[] ids = {0, 1, 2, 0, 0, 1, 2, 3};
    int[] begins = {0, 3, 4, 8};
    for (Device device : devices()) {
      var module = module(Attention.create(), Positions.rotary(8, DIM), 8, WIDTH);
      TransformerReference reference = new TransformerReference(WIDTH, HEADS);
      reference.self = reference.packed(3, 1, 4);
      reference.turn = (x, heads) -> Reference.rotate(x, heads, DIM, DIM, 10_000, row -> ids[row]);
      GradientCheck.check(
          device,
          module,
          tape -> {
            Variable at = ints(tape, "begins", begins, 4);
            Operands more =
                Operands.of("position_ids", ints(tape, "ids", ids, 1, 8)).packed(at, at, 4, 4);
            return module.module.forward(module.get(tape, "x"), more);
          },
          p -> reference.selfAttention(p, "module", p.get("x")),
          TOLERANCE);
    }
  }

  /** The slopes that the authors publish for 3 heads: those of 2, and the first between them. */
  @Test
  void alibi() {
    double[] slopes = {Math.pow(2, -4), Math.pow(2, -8), Math.pow(2, -2)};
    for (boolean causal : new boolean[] {false, true}) {
      Attention attention = causal ? CAUSAL : Attention.create();
      var module = module(attention, Positions.alibi(HEADS), BATCH, LENGTH, WIDTH);
      TransformerReference reference = new TransformerReference(WIDTH, HEADS);
      Bias mask = causal ? Bias.causal(LENGTH, LENGTH) : Bias.none();
      reference.self =
          reference.padded(
              BATCH, (b, h, i, j) -> -slopes[h] * Math.abs(i - j) + mask.of(b, h, i, j));
      for (Device device : devices()) {
        // New, since it was given memory on the device before.
        var each = module(attention, Positions.alibi(HEADS), BATCH, LENGTH, WIDTH);
        GradientCheck.check(
            device,
            each,
            tape -> each.module.forward(each.get(tape, "x")),
            p -> reference.selfAttention(p, "module", p.get("x")),
            TOLERANCE);
      }
      assertEquals(0, parametersOfPositions(module));
    }
  }

  private static long parametersOfPositions(Module module) {
    return module.namedParameters().keySet().stream()
        .filter(it -> it.contains("positions"))
        .count();
  }

  @Test
  void alibiSlopesOfPowersOfTwoAndOfOthers() {
    assertSlopes(1, 8);
    assertSlopes(2, 4, 8);
    assertSlopes(8, 1, 2, 3, 4, 5, 6, 7, 8);
    assertSlopes(6, 2, 4, 6, 8, 1, 3);
    assertSlopes(12, 1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5);
    assertSlopes(16, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8);
  }

  private static void assertSlopes(int heads, double... exponents) {
    try (Tape tape = Tape.open(Device.cpu())) {
      Operands more = Operands.none();
      Positions.alibi(heads).add(tape, more);
      Tensor slopes = more.get("alibi_slopes").value();
      assertArrayEquals(new long[] {1, heads}, slopes.shape());
      for (int h = 0; h < heads; h++) {
        assertEquals(Math.pow(2, -exponents[h]), slopes.getFloat(0, h), 1e-7, "head " + h);
      }
    }
  }

  /** Buckets of T5, counted by hand. */
  @Test
  void relativeBuckets() {
    // 8 buckets, half for keys behind: one each for distances 0 and 1, one for 2 and 3, the rest.
    int[] bidirectional = {3, 3, 2, 2, 1, 0, 5, 6, 6, 7, 7}; // of j - i from -5 to 5
    // 4 buckets of keys before: one each for distances 0, 1 and 2, and the rest.
    int[] before = {3, 3, 3, 2, 1, 0, 0, 0, 0, 0, 0};
    for (Device device : devices()) {
      checkRelative(device, Attention.create(), true, 8, 8, bidirectional);
      checkRelative(device, CAUSAL, false, 4, 4, before);
    }
  }

  private static void checkRelative(
      Device device,
      Attention attention,
      boolean bidirectional,
      int buckets,
      int most,
      int[] bucketOf) {
    var module =
        module(
            attention,
            Positions.relative(HEADS, bidirectional, buckets, most),
            BATCH,
            LENGTH,
            WIDTH);
    TransformerReference reference = new TransformerReference(WIDTH, HEADS);
    Bias mask = bidirectional ? Bias.none() : Bias.causal(LENGTH, LENGTH);
    GradientCheck.check(
        device,
        module,
        tape -> module.module.forward(module.get(tape, "x")),
        p -> {
          double[] table = p.get("module.positions.table");
          reference.self =
              reference.padded(
                  BATCH,
                  (b, h, i, j) -> table[h * buckets + bucketOf[j - i + 5]] + mask.of(b, h, i, j));
          return reference.selfAttention(p, "module", p.get("x"));
        },
        TOLERANCE);
  }

  /** One table for two layers: its gradient is the sum, its name that of the first. */
  @Test
  void layersShareATable() {
    TransformerConfig config =
        TransformerConfig.of(WIDTH, HEADS).positions(Positions.relative(HEADS, true, 8, 8));
    TransformerEncoder encoder = new TransformerEncoder(config, 2);
    Map<String, Parameter> named = encoder.namedParameters();
    assertEquals(1, parametersOfPositions(encoder));
    assertArrayEquals(
        new long[] {HEADS, 8}, named.get("layers.0.attention.positions.table").shape());
    int[] bucketOf = {3, 3, 2, 2, 1, 0, 5, 6, 6, 7, 7};
    var module = new GradientCheck.Inputs<>(encoder).with("x", BATCH, 4, WIDTH);
    TransformerReference reference = new TransformerReference(WIDTH, HEADS);
    GradientCheck.check(
        module,
        tape -> module.module.forward(module.get(tape, "x"), Operands.none()),
        p -> {
          double[] table = p.get("module.layers.0.attention.positions.table");
          reference.self =
              reference.padded(BATCH, (b, h, i, j) -> table[h * 8 + bucketOf[j - i + 5]]);
          return reference.encoder(p, "module", 2, 2, p.get("x"));
        },
        2e-5);
  }

  @Test
  void refusesWhatDoesNotFit() {
    assertThrows(
        IllegalStateException.class,
        () ->
            MultiHeadAttention.cross(WIDTH, HEADS, Attention.create())
                .positions(Positions.alibi(HEADS)));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            MultiHeadAttention.self(WIDTH, HEADS, Attention.create())
                .positions(Positions.alibi(HEADS))
                .positions(Positions.alibi(HEADS)));
    assertRefused(Positions.rotary(LENGTH - 1, DIM)); // a row has no position
    assertRefused(Positions.rotary(LENGTH, DIM + 2)); // more than a head has
    assertRefused(Positions.alibi(HEADS + 1));
    assertRefused(Positions.relative(HEADS + 1, true, 8, 8));
  }

  private static void assertRefused(Positions positions) {
    var module = module(Attention.create(), positions, 1, LENGTH, WIDTH);
    try (Parameters parameters = Parameters.of(module, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu())) {
      long held = 0;
      for (int n = 0; n < 4; n++) {
        tape.begin();
        assertThrows(
            IllegalArgumentException.class, () -> module.module.forward(module.get(tape, "x")));
        held = n == 1 ? tape.memoryHeld() : held;
      }
      assertEquals(held, tape.memoryHeld(), "what is refused leaks");
      tape.begin();
      assertEquals(0, tape.input(DType.FLOAT32, 3).value().getFloat(1));
      assertEquals(parameters.all().size(), module.namedParameters().size());
    }
  }

  @Test
  void refusesNumbersThatMakeNoSense() {
    for (int rotaryDim : new int[] {3, 0, -2}) {
      assertRefused(Positions.rotary(LENGTH, rotaryDim));
    }
    assertRefused(Positions.rotary(-1, DIM));
    assertRefused(Positions.rotary(RotaryEmbedding.halfSplit(), LENGTH, DIM, -1));
    assertRefused(Positions.alibi(0));
    assertRefused(Positions.relative(HEADS, true, 3, 8)); // not two in each direction
    assertRefused(Positions.relative(HEADS, true, 8, 1)); // farther than that are some of their own
    assertThrows(IllegalArgumentException.class, () -> Positions.relative(0, true, 8, 8));
    assertThrows(IllegalArgumentException.class, () -> Positions.relative(HEADS, true, 0, 8));
  }
}
