package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Tapes and parameters of models that are not trained. */
class InferenceTest {
  private static float[] random(int count) {
    Random random = new Random(3);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @Test
  void threadsChangeNoBit() {
    int rows = 600; // products of several parts
    TransformerConfig config = TransformerConfig.of(64, 4).postNorm().normEpsilon(1e-6);
    TransformerEncoder encoder = new TransformerEncoder(config, 2);
    encoder.train(false);
    float[] x = random(rows * 64);
    try (Parameters parameters = Parameters.of(encoder, Device.cpu(), 1)) {
      assertEquals(2, encoder.layers().size());
      float[] alone = forward(Tape.inference(Device.cpu(), 1), encoder, x);
      assertArrayEquals(alone, forward(Tape.inference(Device.cpu(), 3), encoder, x));
      assertArrayEquals(alone, forward(Tape.inference(Device.cpu()), encoder, x));
      assertArrayEquals(alone, forward(Tape.open(Device.cpu()), encoder, x));
      assertTrue(parameters.count() > 0);
    }
    assertThrows(IllegalArgumentException.class, () -> Tape.inference(Device.cpu(), 0));
    assertThrows(IllegalArgumentException.class, () -> config.normEpsilon(-1));
  }

  private static float[] forward(Tape open, TransformerEncoder encoder, float[] values) {
    try (Tape tape = open) {
      tape.begin();
      Variable x = tape.input(DType.FLOAT32, 1, values.length / 64, 64);
      x.value().copyFrom(values);
      return encoder.forward(x, Operands.none()).value().toFloatArray();
    }
  }

  @Test
  void paddingOfWeightsIsZeroInMemoryThatWasUsed() {
    try (Tape tape = Tape.inference(Device.cpu())) {
      weights(tape, 6, 0, 6);
      long held = tape.memoryHeld();
      float[] found = weights(tape, 5, 0, 2, 6);
      assertEquals(held, tape.memoryHeld(), 64);
      for (int i = 0; i < found.length; i++) {
        int query = i / 5;
        int keys = query < 2 ? 2 : 4;
        assertEquals(i % 5 < keys ? 1.0 / keys : 0, found[i], 1e-5, "element " + i);
      }
    }
  }

  private static float[] weights(Tape tape, int longest, int... offsets) {
    tape.begin();
    Variable x = tape.input(DType.FLOAT32, 6, 1, 8);
    Variable packed = tape.input(DType.INT32, offsets.length);
    packed.value().copyFrom(offsets);
    x.value().fill(7);
    return Functions.attentionAndWeights(
            Attention.create(), x, x, x, Operands.none().packed(packed, packed, longest, longest))
        .getLast()
        .value()
        .toFloatArray();
  }

  @Test
  void parametersForInferenceAreZerosWithoutGradients() {
    Linear linear = new Linear(3, 2);
    try (Parameters parameters = Parameters.forInference(linear, Device.cpu())) {
      for (Parameter each : parameters.all()) {
        assertArrayEquals(new float[(int) each.elements()], each.value().toFloatArray());
        IllegalStateException refused = assertThrows(IllegalStateException.class, each::gradient);
        assertEquals(each + " is for inference: it has no gradient", refused.getMessage());
      }
      assertThrows(IllegalStateException.class, parameters::zeroGradients);
      assertThrows(IllegalStateException.class, parameters::gradientNorm);
      assertThrows(
          IllegalStateException.class, () -> Parameters.forInference(linear, Device.cpu()));
      try (Tape tape = Tape.open(Device.cpu())) {
        Variable x = tape.input(DType.FLOAT32, 1, 3);
        Variable y = linear.forward(x);
        assertThrows(IllegalStateException.class, () -> tape.backward(y, y.value()));
      }
    }
  }
}
