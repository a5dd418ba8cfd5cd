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

  private static double[] losses(Device device) {
    double[] losses = new double[STEPS];
    Recall model = new Recall();
    try (Parameters parameters = Parameters.of(model, device, 3);
        Optimizer optimizer =
            new Optimizer(
                parameters, OptimizerStep.adamw(0.9, 0.999, 1e-8), Schedule.constant(1e-2));
        Tape tape = Tape.open(device, 4)) {
      SplittableRandom random = new SplittableRandom(6);
      int[] tokens = random.ints((long) BATCH * LENGTH, 0, VOCABULARY).toArray();
      int[] before = new int[tokens.length];
      for (int i = 0; i < tokens.length; i++) {
        before[i] = i % LENGTH == 0 ? -1 : tokens[i - 1]; // the first has none
      }
      for (int step = 0; step < STEPS; step++) {
        tape.begin(step);
        Variable in = tape.input(DType.INT32, BATCH, LENGTH);
        Variable wanted = tape.input(DType.INT32, BATCH, LENGTH);
        in.value().copyFrom(tokens);
        wanted.value().copyFrom(before);
        Loss loss = Loss.crossEntropy(model.forward(in), wanted);
        loss.backward();
        optimizer.step();
        losses[step] = loss.value();
      }
    }
    return losses;
  }
}
