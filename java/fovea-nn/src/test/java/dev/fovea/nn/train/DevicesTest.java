package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Operands;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The same code trains on the CPU and on a GPU. */
class DevicesTest {
  private static final int STEPS = 12;
  private static final int BATCH = 2;
  private static final int LENGTH = 7;
  private static final int VOCABULARY = 5;

  /** Says for each token which was before it. */
  private static final class Recall extends Module {
    final Embedding embedding =
        child("embedding", new Embedding(VOCABULARY, 16).learnedPositions(LENGTH));
    final TransformerEncoder encoder =
        child("encoder", new TransformerEncoder(TransformerConfig.of(16, 2).dropout(0.1), 2));
    final Linear head = child("head", new Linear(16, VOCABULARY));

    Variable forward(Variable tokens) {
      return head.forward(encoder.forward(embedding.forward(tokens), Operands.none()));
    }
  }

  @Test
  void lossesAreAlikeOnTheCpuAndOnASimulatedGpu() {
    double[] cpu = losses(Device.cpu());
    double[] simulated = losses(Device.byName("sim:sm_80"));
    for (int step = 0; step < STEPS; step++) {
      // Adam divides what rounding left of small gradients by their size.
      assertEquals(cpu[step], simulated[step], 2e-4 * cpu[step], "step " + step);
    }
    assertEquals(cpu[0], simulated[0], 1e-6 * cpu[0], "before the first change");
    assertTrue(cpu[STEPS - 1] < 0.8 * cpu[0], "it learns nothing");
  }

  /**
   * What is trained in 16 bits learns as in float32: losses differ by some roundings of what they
   * are computed from.
   */
  @Test
  void trainsInTypesOf16Bits() {
    double[] exact = losses(Device.cpu());
    for (Device device : new Device[] {Device.cpu(), Device.byName("sim:sm_80")}) {
      for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
        double[] found = losses(device, dtype, LossScale.dynamic(0x1p20, 5), 1);
        double most = dtype == DType.FLOAT16 ? 0.002 : 0.01;
        for (int step = 0; step < STEPS; step++) {
          String line = device + " " + dtype + " step " + step;
          assertEquals(exact[step], found[step], most * exact[0], line);
        }
      }
    }
  }

  /** Gradients that float16 has no numbers for, unless the loss is scaled. */
  @Test
  void smallGradientsNeedAScale() {
    double small = 0x1p-22;
    double[] exact = losses(Device.cpu(), DType.FLOAT32, LossScale.fixed(1), small);
    double[] scaled = losses(Device.cpu(), DType.FLOAT16, LossScale.dynamic(), small);
    double[] lost = losses(Device.cpu(), DType.FLOAT16, LossScale.fixed(1), small);
    assertEquals(exact[STEPS - 1], scaled[STEPS - 1], 0.002 * exact[0]);
    assertTrue(exact[STEPS - 1] < 0.8 * exact[0], "it learns nothing");
    assertTrue(Math.abs(exact[STEPS - 1] - lost[STEPS - 1]) > 0.05 * exact[0], "needs no scale");
  }

  private static double[] losses(Device device) {
    return losses(device, DType.FLOAT32, LossScale.fixed(1), 1);
  }

  /** Of a loss that is multiplied by {@code factor} before it is differentiated. */
  private static double[] losses(Device device, DType dtype, LossScale scale, double factor) {
    Recall model = new Recall();
    try (Parameters parameters = Parameters.of(model, device, dtype, 3);
        Optimizer optimizer =
            new Optimizer(
                parameters, OptimizerStep.adamw(0.9, 0.999, 1e-12), Schedule.constant(1e-2));
        Tape tape = Tape.open(device, 4)) {
      SplittableRandom random = new SplittableRandom(6);
      int[] tokens = random.ints((long) BATCH * LENGTH, 0, VOCABULARY).toArray();
      int[] before = new int[tokens.length];
      for (int i = 0; i < tokens.length; i++) {
        before[i] = i % LENGTH == 0 ? -1 : tokens[i - 1]; // the first has none
      }
      return Trainer.of(
              tape,
              optimizer,
              number -> {
                Variable in = tape.input(DType.INT32, BATCH, LENGTH);
                Variable wanted = tape.input(DType.INT32, BATCH, LENGTH);
                in.value().copyFrom(tokens);
                wanted.value().copyFrom(before);
                Loss loss = Loss.crossEntropy(model.forward(in), wanted);
                float[] weights = loss.gradient().toFloatArray();
                for (int i = 0; i < weights.length; i++) {
                  weights[i] *= (float) factor;
                }
                loss.gradient().copyFrom(weights);
                return loss;
              })
          .steps(STEPS)
          .lossScale(scale)
          .run();
    }
  }
}
