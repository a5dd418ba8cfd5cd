package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.nn.GradientCheck.Inputs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts in segments, with what was read before. */
class TransformerXlTest {
  private static final int BATCH = 2;
  private static final int WIDTH = 8;
  private static final int HEADS = 2;
  private static final int DIM = WIDTH / HEADS;
  private static final int LAYERS = 2;
  private static final int KEPT = 3; // rows of memory
  private static final int[] SEGMENTS = {2, 2, 3}; // the gradients are those of the last

  /** In float64; what is kept of a segment stays as it is when parameters change. */
  private static final class Reference64 {
    private final TransformerReference layers = new TransformerReference(WIDTH, HEADS);
    private List<double[]> memory; // of each layer; null: not read yet

    Reference64(boolean isPostNorm) {
      layers.isPostNorm = isPostNorm;
    }

    double[] apply(Map<String, double[]> p) {
      if (memory == null) {
        memory = new ArrayList<>();
        for (int i = 0; i < LAYERS; i++) {
          memory.add(new double[0]);
        }
        for (int i = 0; i < SEGMENTS.length - 1; i++) {
          List<double[]> read = new ArrayList<>();
          forward(p, segment(i), read);
          memory = read.stream().map(Reference64::last).toList();
        }
      }
      return forward(p, p.get("x"), new ArrayList<>());
    }

    /** The last rows of each sequence. */
    private static double[] last(double[] rows) {
      int each = rows.length / BATCH;
      int keep = Math.min(each, KEPT * WIDTH);
      return concat(
          Arrays.copyOfRange(rows, each - keep, each),
          Arrays.copyOfRange(rows, 2 * each - keep, 2 * each));
    }

    private static double[] concat(double[] a, double[] b) {
      double[] all = Arrays.copyOf(a, a.length + b.length);
      System.arraycopy(b, 0, all, a.length, b.length);
      return all;
    }

    /** Rows of {@code b} behind those of {@code a}, of each sequence. */
    private static double[] behind(double[] a, double[] b) {
      double[] all = new double[0];
      for (int i = 0; i < BATCH; i++) {
        int ofA = a.length / BATCH;
        int ofB = b.length / BATCH;
        all = concat(all, Arrays.copyOfRange(a, i * ofA, (i + 1) * ofA));
        all = concat(all, Arrays.copyOfRange(b, i * ofB, (i + 1) * ofB));
      }
      return all;
    }

    private double[] forward(Map<String, double[]> p, double[] x, List<double[]> read) {
      double[] stream = x;
      for (int i = 0; i < LAYERS; i++) {
        double[] rows = behind(memory.get(i), stream);
        read.add(rows);
        stream = layer(p, "module.layers." + i, stream, rows);
      }
      return layers.isPostNorm ? stream : TransformerReference.norm(p, "module.norm", stream);
    }

    private double[] layer(Map<String, double[]> p, String name, double[] x, double[] rows) {
      boolean post = layers.isPostNorm;
      String norm = name + ".attention_norm";
      double[] in = post ? x : TransformerReference.norm(p, norm, x);
      double[] all = post ? rows : TransformerReference.norm(p, norm, rows);
      double[] sum = Reference.add(x, attention(p, name + ".attention", in, all));
      double[] stream = post ? TransformerReference.norm(p, norm, sum) : sum;
      String second = name + ".feed_forward_norm";
      double[] read = post ? stream : TransformerReference.norm(p, second, stream);
      double[] fed = Reference.add(stream, layers.feedForward(p, name + ".feed_forward", read));
      return post ? TransformerReference.norm(p, second, fed) : fed;
    }

    private static double[] attention(
        Map<String, double[]> p, String name, double[] x, double[] rows) {
      int queries = x.length / (BATCH * WIDTH);
      int keys = rows.length / (BATCH * WIDTH);
      double[] q = TransformerReference.linear(p, name + ".query", x, WIDTH);
      double[] pairs = TransformerReference.linear(p, name + ".key_value", rows, WIDTH);
      double[] k = Reference.columns(pairs, 2 * WIDTH, 0, WIDTH);
      double[] v = Reference.columns(pairs, 2 * WIDTH, WIDTH, WIDTH);
      double[] r = TransformerReference.linear(p, name + ".position", distances(keys), WIDTH);
      double[] content = p.get(name + ".content_bias");
      double[] position = p.get(name + ".position_bias");
      double[] found =
          Reference.attention(
              (b, h, i, j) -> {
                int distance = i + keys - queries - j;
                if (distance < 0) {
                  return Double.NEGATIVE_INFINITY;
                }
                double score = 0;
                for (int d = h * DIM; d < (h + 1) * DIM; d++) {
                  double asked = q[(b * queries + i) * WIDTH + d];
                  score += (asked + content[d]) * k[(b * keys + j) * WIDTH + d];
                  score += (asked + position[d]) * r[distance * WIDTH + d];
                }
                return score / Math.sqrt(DIM);
              },
              v,
              BATCH,
              queries,
              HEADS,
              HEADS,
              DIM);
      return TransformerReference.linear(p, name + ".out", found, WIDTH);
    }

    private static double[] distances(int count) {
      double[] rows = new double[count * WIDTH];
      for (int i = 0; i < rows.length; i++) {
        int column = i % WIDTH;
        double angle = i / WIDTH / Math.pow(10_000, (column - column % 2) / (double) WIDTH);
        rows[i] = column % 2 == 0 ? Math.sin(angle) : Math.cos(angle);
      }
      return rows;
    }
  }

  private static double[] segment(int number) {
    double[] rows = new double[BATCH * SEGMENTS[number] * WIDTH];
    Arrays.setAll(rows, i -> (i * (5 + number) % 16 - 8) / 8.0); // of any type
    return rows;
  }

  private static void checkGradients(
      Device device, DType dtype, boolean isPostNorm, double tolerance) {
    TransformerConfig config = TransformerConfig.of(WIDTH, HEADS);
    TransformerXl model = new TransformerXl(isPostNorm ? config.postNorm() : config, LAYERS);
    int last = SEGMENTS.length - 1;
    Inputs<TransformerXl> all = new Inputs<>(model).with("x", BATCH, SEGMENTS[last], WIDTH);
    try (TransformerXl.Memory memory = model.memory(device, dtype, BATCH, KEPT)) {
      GradientCheck.check(
          device,
          dtype,
          all,
          tape -> {
            if (memory.filled() == 0) {
              read(model, device, dtype, memory);
            }
            return model.forward(all.get(tape, "x"), memory);
          },
          new Reference64(isPostNorm)::apply,
          tolerance);
    }
  }

  /** The segments before the last one, which fill the memory. */
  private static void read(
      TransformerXl model, Device device, DType dtype, TransformerXl.Memory memory) {
    try (Tape tape = Tape.inference(device)) {
      for (int i = 0; i < SEGMENTS.length - 1; i++) {
        tape.begin();
        Variable x = tape.input(dtype, BATCH, SEGMENTS[i], WIDTH);
        x.value().copyFrom(segment(i));
        model.forward(x, memory);
        memory.advance();
      }
    }
    assertEquals(KEPT, memory.filled());
  }

  /** They do not reach into the memory (Dai et al., section 3.2: SG). */
  @Test
  void gradientsBehindAMemory() {
    for (Device device : List.of(Device.cpu(), GradientCheck.simulated())) {
      for (boolean isPostNorm : new boolean[] {false, true}) {
        checkGradients(device, DType.FLOAT32, isPostNorm, 5e-5);
      }
    }
  }

  @Test
  void gradientsBehindAMemoryInTypesOf16Bits() {
    for (boolean isPostNorm : new boolean[] {false, true}) {
      checkGradients(Device.cpu(), DType.FLOAT16, isPostNorm, 30 * 0x1p-11);
      checkGradients(Device.cpu(), DType.BFLOAT16, isPostNorm, 30 * 0x1p-8);
    }
  }

  /** Texts in segments, with memory for all of them, are what they are in one. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSegmentSeesThoseBeforeIt(boolean isPostNorm) {
    TransformerConfig config = TransformerConfig.of(8, 2);
    TransformerXl model = new TransformerXl(isPostNorm ? config.postNorm() : config, 2);
    float[] rows = new float[BATCH * 7 * 8];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (float) Math.sin(i * i);
    }
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu());
        TransformerXl.Memory memory = model.memory(Device.cpu(), DType.FLOAT32, BATCH, 9)) {
      assertTrue(parameters.named().containsKey("layers.1.attention.content_bias"));
      float[] whole = read(model, tape, memory, rows, 0, 7);
      memory.clear();
      int from = 0;
      for (int to : new int[] {3, 5, 6, 7}) {
        float[] segment = read(model, tape, memory, rows, from, to);
        assertArrayEquals(rows(whole, from, to), segment, 2e-6f);
        memory.advance();
        assertEquals(to, memory.filled());
        from = to;
      }
    }
  }

  /** Rows of each text. */
  private static float[] rows(float[] all, int from, int to) {
    float[] some = new float[BATCH * (to - from) * 8];
    for (int b = 0; b < BATCH; b++) {
      System.arraycopy(all, (b * 7 + from) * 8, some, b * (to - from) * 8, (to - from) * 8);
    }
    return some;
  }

  private static float[] read(
      TransformerXl model, Tape tape, TransformerXl.Memory memory, float[] rows, int from, int to) {
    tape.begin();
    Variable x = tape.input(DType.FLOAT32, BATCH, to - from, 8);
    x.value().copyFrom(rows(rows, from, to));
    return model.forward(x, memory).value().toFloatArray();
  }
}
