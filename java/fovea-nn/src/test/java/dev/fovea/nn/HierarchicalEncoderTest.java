package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.nn.GradientCheck.Inputs;
import dev.fovea.nn.HierarchicalEncoder.Packed;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Vectors of documents, and the gradients by all parameters, against the formulas in float64. */
class HierarchicalEncoderTest {
  private static final int WIDTH = 6;
  private static final int HEADS = 2;
  private static final int[] WORDS = {3, 1, 4, 2, 2}; // of sentences
  private static final int[] SENTENCES = {3, 1, 1}; // of documents

  private static double[] expected(Map<String, double[]> p, boolean isPostNorm) {
    TransformerReference reference = new TransformerReference(WIDTH, HEADS);
    reference.isPostNorm = isPostNorm;
    reference.self = reference.packed(WORDS);
    double[] words = reference.encoder(p, "module.words", 1, 1, p.get("x"));
    double[] vectors = pooled(p, "module.word_pooling", words, WORDS);
    reference.self = reference.packed(SENTENCES);
    double[] sentences = reference.encoder(p, "module.sentences", 1, 1, vectors);
    return pooled(p, "module.sentence_pooling", sentences, SENTENCES);
  }

  /** Means of the rows of each sequence by the softmax of {@code u tanh(W x + b)}. */
  private static double[] pooled(Map<String, double[]> p, String name, double[] x, int[] lengths) {
    double[] key = Reference.linear(x, p.get(name + ".key.weight"), null, WIDTH, WIDTH);
    double[] query = p.get(name + ".query");
    double[] bias = p.get(name + ".bias");
    double[] out = new double[lengths.length * WIDTH];
    int row = 0;
    for (int sequence = 0; sequence < lengths.length; sequence++) {
      double sum = 0;
      for (int s = 0; s < lengths[sequence]; s++, row++) {
        double score = 0;
        for (int d = 0; d < WIDTH; d++) {
          score += query[d] * Math.tanh(key[row * WIDTH + d] + bias[d]);
        }
        sum += Math.exp(score);
        for (int d = 0; d < WIDTH; d++) {
          out[sequence * WIDTH + d] += Math.exp(score) * x[row * WIDTH + d];
        }
      }
      for (int d = 0; d < WIDTH; d++) {
        out[sequence * WIDTH + d] /= sum;
      }
    }
    return out;
  }

  private static Packed packed(Tape tape, int[] lengths) {
    int[] offsets = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      offsets[i + 1] = offsets[i] + lengths[i];
    }
    Variable at = tape.input(DType.INT32, offsets.length);
    at.value().copyFrom(offsets);
    return new Packed(at, Arrays.stream(lengths).max().orElseThrow());
  }

  private static void check(Device device, DType dtype, boolean isPostNorm, double tolerance) {
    TransformerConfig config = TransformerConfig.of(WIDTH, HEADS);
    HierarchicalEncoder model = new HierarchicalEncoder(isPostNorm ? config.postNorm() : config, 1);
    Inputs<HierarchicalEncoder> all =
        new Inputs<>(model).with("x", IntStream.of(WORDS).sum(), WIDTH);
    GradientCheck.check(
        device,
        dtype,
        all,
        tape -> model.forward(all.get(tape, "x"), packed(tape, WORDS), packed(tape, SENTENCES)),
        p -> expected(p, isPostNorm),
        tolerance);
  }

  @Test
  void gradients() {
    for (Device device : List.of(Device.cpu(), GradientCheck.simulated())) {
      for (boolean isPostNorm : new boolean[] {false, true}) {
        check(device, DType.FLOAT32, isPostNorm, 5e-5);
      }
    }
  }

  /** Gradients of few scores are small differences of what has been rounded. */
  @Test
  void gradientsInTypesOf16Bits() {
    for (boolean isPostNorm : new boolean[] {false, true}) {
      check(Device.cpu(), DType.FLOAT16, isPostNorm, 50 * 0x1p-11);
      check(Device.cpu(), DType.BFLOAT16, isPostNorm, 50 * 0x1p-8);
    }
  }
}
