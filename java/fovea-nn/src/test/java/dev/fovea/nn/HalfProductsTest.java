package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.CrossEntropy;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.GradientCheck.Inputs;
import dev.fovea.nn.Reference.Bias;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Models with products in types of 16 bits, against the formulas in float64. */
class HalfProductsTest {
  private static final List<DType> TYPES = List.of(DType.FLOAT16, DType.BFLOAT16);

  /** Half of what the last bit of 1 is worth. */
  private static double rounding(DType dtype) {
    return dtype == DType.FLOAT16 ? 0x1p-11 : 0x1p-8;
  }

  /** Rows and columns in each other's place. */
  private static double[] transposed(double[] matrix, int columns) {
    double[] turned = new double[matrix.length];
    int rows = matrix.length / columns;
    for (int i = 0; i < matrix.length; i++) {
      turned[i % columns * rows + i / columns] = matrix[i];
    }
    return turned;
  }

  /** Sums are float32, and a result of 16 bits is rounded once. */
  private static void checkLinear(Device device, DType dtype, int rows, int in, int out) {
    String line = device + " " + dtype + " " + rows + " " + in + " " + out;
    Inputs<Linear> model = new Inputs<>(new Linear(in, out)).with("x", rows, in);
    try (Parameters parameters = Parameters.of(model, device, dtype, 7);
        Tape tape = Tape.open(device);
        Scope scope = Scope.open(device)) {
      float[] bias = new float[out];
      for (int i = 0; i < out; i++) {
        bias[i] = (i - out / 2) / 8f;
      }
      model.module.bias().value().copyFrom(bias);
      parameters.changed();
      float[] weights = new float[rows * out];
      for (int i = 0; i < weights.length; i++) {
        weights[i] = (i * 5 % 16 - 8) / 8f;
      }
      Tensor seed = scope.allocate(dtype, rows, out).copyFrom(weights);
      for (int step = 1; step <= 2; step++) {
        tape.begin(step);
        Variable y = model.module.forward(model.get(tape, "x"));
        assertEquals(dtype, y.dtype());
        tape.backward(y, seed);
        double[] x = GradientCheck.doubles(model.get(tape, "x").value());
        double[] weight = GradientCheck.doubles(model.module.weight().computed());
        double[] b = GradientCheck.doubles(model.module.bias().computed());
        double[] dy = GradientCheck.doubles(seed);
        double[] expected = Reference.linear(x, weight, b, in, out);
        double[] found = GradientCheck.doubles(y.value());
        for (int i = 0; i < found.length; i++) {
          double most = rounding(dtype) * Math.abs(expected[i]) + 1e-5;
          assertEquals(expected[i], found[i], most, line + " at " + i);
        }
        double[] dyTurned = transposed(dy, out);
        double[] ones = new double[rows];
        Arrays.fill(ones, step);
        Map<String, double[]> gradients =
            Map.of(
                "x", scaled(step, Reference.linear(dy, transposed(weight, in), null, out, in)),
                "module.weight",
                    scaled(step, Reference.linear(dyTurned, transposed(x, in), null, rows, in)),
                "module.bias", Reference.linear(dyTurned, ones, null, rows, 1));
        gradients.forEach(
            (name, all) ->
                GradientCheck.assertClose(
                    line + " d" + name,
                    GradientCheck.doubles(parameters.named().get(name).gradient()),
                    all,
                    1e-5));
      }
    }
  }

  private static double[] scaled(double by, double[] values) {
    return Reference.map(values, it -> by * it);
  }

  @Test
  void productsOfAnyShape() {
    int[][] shapes = {{1, 1, 1}, {3, 7, 5}, {5, 1, 9}, {2, 33, 17}, {13, 4, 1}, {401, 73, 75}};
    for (DType dtype : TYPES) {
      for (int[] it : shapes) {
        checkLinear(Device.cpu(), dtype, it[0], it[1], it[2]);
      }
      checkLinear(GradientCheck.simulated(), dtype, 3, 7, 5);
    }
  }

  /** Products of one tape share memory, which grows behind the back of those that are bound. */
  @Test
  void productsThatGrow() {
    for (DType dtype : TYPES) {
      Inputs<Linear> model =
          new Inputs<>(new Linear(5, 3)).with("few", 2, 5).with("many", 17, 5).with("more", 3, 5);
      GradientCheck.check(
          Device.cpu(),
          dtype,
          model,
          tape -> {
            Variable few = model.module.forward(model.get(tape, "few"));
            Variable many = model.module.forward(model.get(tape, "many"));
            Variable more = model.module.forward(model.get(tape, "more"));
            return Functions.concat(0, Functions.concat(0, few, many), more);
          },
          p ->
              Reference.linear(
                  concat(concat(p.get("few"), p.get("many")), p.get("more")),
                  p.get("module.weight"),
                  p.get("module.bias"),
                  5,
                  3),
          4 * rounding(dtype));
    }
  }

  private static double[] concat(double[] a, double[] b) {
    double[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  /** Translates: everything that a transformer has, with the table as the last layer too. */
  private static final class Translator extends Module {
    private static final int VOCABULARY = 7;
    private static final int WIDTH = 10;
    private static final int HEADS = 2;
    private static final int[] SOURCE = {3, 1, 6, 0, 2, 3};
    private static final int[] TARGET = {2, 2, 5, 1, 4, 6, 0, 1};
    private static final int[] WANTED = {2, -1, 1, 4, 6, 0, 3, -1};

    final Embedding embedding =
        child("embedding", new Embedding(VOCABULARY, WIDTH).learnedPositions(4));
    final TransformerEncoder encoder;
    final TransformerDecoder decoder;
    final Linear head = child("head", new Linear(embedding.table()));

    Translator(boolean isPostNorm) {
      TransformerConfig plain = TransformerConfig.of(WIDTH, HEADS);
      TransformerConfig config = isPostNorm ? plain.postNorm() : plain;
      Attention causal = Attention.builder().causal().build();
      encoder = child("encoder", new TransformerEncoder(config, 1));
      decoder = child("decoder", new TransformerDecoder(config.attention(causal), 1));
    }

    private static Variable ids(Tape tape, int[] ids, int length) {
      Variable it = tape.input(DType.INT32, 2, length);
      it.value().copyFrom(ids);
      return it;
    }

    Variable losses(Tape tape) {
      Variable memory = encoder.forward(embedding.forward(ids(tape, SOURCE, 3)), Operands.none());
      Variable out =
          decoder.forward(
              embedding.forward(ids(tape, TARGET, 4)), memory, Operands.none(), Operands.none());
      return Functions.crossEntropy(CrossEntropy.create(), head.forward(out), ids(tape, WANTED, 4));
    }

    static double[] embedded(Map<String, double[]> p, int[] ids, int length) {
      double[] rows = new double[ids.length * WIDTH];
      for (int i = 0; i < rows.length; i++) {
        int row = i / WIDTH;
        rows[i] =
            p.get("embedding.weight")[ids[row] * WIDTH + i % WIDTH]
                + p.get("embedding.positions")[row % length * WIDTH + i % WIDTH];
      }
      return rows;
    }

    static double[] expected(Map<String, double[]> p, boolean isPostNorm) {
      TransformerReference reference = new TransformerReference(WIDTH, HEADS);
      reference.isPostNorm = isPostNorm;
      reference.self = reference.padded(2, Bias.none());
      double[] memory = reference.encoder(p, "encoder", 1, 1, embedded(p, SOURCE, 3));
      reference.self = reference.padded(2, Bias.causal(4, 4));
      reference.cross = reference.padded(2, Bias.none());
      double[] out = reference.decoder(p, "decoder", 1, embedded(p, TARGET, 4), memory);
      double[] logits = Reference.linear(out, p.get("embedding.weight"), null, WIDTH, VOCABULARY);
      double[] losses = new double[WANTED.length];
      for (int row = 0; row < losses.length; row++) {
        double sum = 0;
        for (int v = 0; v < VOCABULARY; v++) {
          sum += Math.exp(logits[row * VOCABULARY + v]);
        }
        int wanted = WANTED[row];
        losses[row] = wanted < 0 ? 0 : Math.log(sum) - logits[row * VOCABULARY + wanted];
      }
      return losses;
    }
  }

  /** Roundings of every operation add up, of a small gradient that is a sum of large ones most. */
  @Test
  void gradientsOfATransformer() {
    for (Device device : List.of(Device.cpu(), GradientCheck.simulated())) {
      for (DType dtype : TYPES) {
        for (boolean isPostNorm : new boolean[] {false, true}) {
          Translator model = new Translator(isPostNorm);
          GradientCheck.check(
              device,
              dtype,
              model,
              model::losses,
              p -> Translator.expected(p, isPostNorm),
              30 * rounding(dtype));
        }
      }
    }
  }

  /** However many products there are, what is widened for them has one place. */
  @Test
  void productsShareMemory() {
    int rows = 300;
    int width = 64;
    Linear layer = new Linear(width, width);
    try (Parameters parameters = Parameters.of(layer, Device.cpu(), DType.BFLOAT16, 7);
        Tape tape = Tape.inference(Device.cpu())) {
      Variable x = tape.input(DType.BFLOAT16, rows, width);
      x = layer.forward(x);
      long before = tape.memoryHeld();
      for (int i = 0; i < 5; i++) {
        x = layer.forward(x);
      }
      long outputs = 5L * rows * width * Short.BYTES;
      assertTrue(tape.memoryHeld() - before < 1.1 * outputs, "more than what comes out");
      assertEquals(width * (width + 1), parameters.count());
    }
  }

  /** What is bound for a type of 16 bits allocates nothing when it runs. */
  @Test
  void aStepAllocatesNothing() {
    Translator model = new Translator(false);
    try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.BFLOAT16, 7);
        Tape tape = Tape.open(Device.cpu());
        Scope scope = Scope.open(Device.cpu())) {
      Tensor seed = scope.allocate(DType.FLOAT32, 2, 4).fill(1);
      long held = 0;
      for (int step = 1; step <= 4; step++) {
        tape.begin(step);
        tape.backward(model.losses(tape), seed);
        assertTrue(step <= 1 || held == tape.memoryHeld(), "step " + step);
        held = tape.memoryHeld();
      }
      assertTrue(parameters.gradientNorm() > 0);
    }
  }
}
