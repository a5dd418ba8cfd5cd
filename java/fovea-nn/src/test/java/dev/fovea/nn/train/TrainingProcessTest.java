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
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that train: killed at any moment, and for a long time. */
class TrainingProcessTest {
  private static final int KILLS = Integer.getInteger("fovea.kills", 4);
  private static final int PATIENCE_SECONDS = 120;
  private static final int STEPS = 400;
  private static final int LONG = 10_000;
  private static final int SETTLED = 3_000; // steps until all code is compiled
  private static final long MOST_GROWTH =
      6L << 20; // bytes: the stacks and code of a late compilation

  @TempDir private Path folder;

  /** A small transformer with dropout. */
  static final class Child extends Module {
    private final Embedding embedding = child("embedding", new Embedding(7, 8));
    private final TransformerEncoder encoder =
        child("encoder", new TransformerEncoder(TransformerConfig.of(8, 2).dropout(0.1), 1));
    private final Linear head = child("head", new Linear(8, 7));

    private Loss loss(Tape tape, int number) {
      int[] tokens = new SplittableRandom(number).ints(12, 0, 7).toArray();
      Variable in = tape.input(DType.INT32, 2, 6);
      Variable wanted = tape.input(DType.INT32, 2, 6);
      in.value().copyFrom(tokens);
      wanted.value().copyFrom(Arrays.stream(tokens).map(it -> 6 - it).toArray());
      Variable rows = encoder.forward(embedding.forward(in), Operands.none());
      return Loss.crossEntropy(head.forward(rows), wanted);
    }

    /** Arguments: steps, and a checkpoint or nothing. */
    public static void main(String[] arguments) throws IOException {
      int steps = Integer.parseInt(arguments[0]);
      Child model = new Child();
      try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
          Tape tape = Tape.open(Device.cpu(), 2);
          Optimizer optimizer =
              new Optimizer(
                      parameters,
                      OptimizerStep.adamw(0.9, 0.99, 1e-8).weightDecay(0.01),
                      Schedule.cosine(0.02, 0.001, steps).warmUp(5))
                  .clip(1)) {
        Trainer trainer =
            Trainer.of(tape, optimizer, number -> model.loss(tape, number)).steps(steps);
        if (arguments.length > 1) {
          trainer.checkpoints(Path.of(arguments[1]), 3);
        }
        long[] resident = new long[2];
        boolean[] begun = {false};
        trainer.listener(
            (step, metrics) -> {
              if (!begun[0]) {
                begun[0] = true;
                System.out.println("step " + step);
              }
              if (step == SETTLED || step == LONG) {
                System.gc();
                resident[step == LONG ? 1 : 0] = resident();
              }
            });
        trainer.run();
        long hash = 0;
        for (Parameter each : parameters.all()) {
          hash = 31 * hash + Arrays.hashCode(each.value().toFloatArray());
        }
        System.out.println("bits " + hash);
        System.out.println("grown " + (resident[1] - resident[0]));
      }
    }

    private static long resident() {
      try {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
          if (line.startsWith("RssAnon:")) {
            return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
          }
        }
        return 0;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static List<String> finished(String... arguments) throws Exception {
    Process child = ChildJvm.start(ChildJvm.command(Child.class, arguments));
    try (BufferedReader lines = child.inputReader()) {
      List<String> said = lines.readAllLines();
      assertTrue(child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "it lives");
      assertEquals(0, child.exitValue(), said.toString());
      return said;
    } finally {
      child.destroyForcibly();
    }
  }

  @Test
  void whatIsKilledGoesOnToTheSameBits() throws Exception {
    String whole = finished("" + STEPS).get(1);
    String file = folder.resolve("run.safetensors").toString();
    Random random = new Random(1);
    int last = 0;
    for (int n = 0; n < KILLS; n++) {
      Process child = ChildJvm.start(ChildJvm.command(Child.class, "" + STEPS, file));
      try (BufferedReader lines = child.inputReader()) {
        String first = lines.readLine();
        assertTrue(first != null && first.startsWith("step "), first);
        int begun = Integer.parseInt(first.substring(5));
        assertTrue(begun > last || last == 0 || begun == last, first + " after " + last);
        last = begun;
        Thread.sleep(random.nextInt(25));
        child.destroyForcibly();
        assertTrue(child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "it lives");
      } finally {
        child.destroyForcibly();
      }
    }
    List<String> said = finished("" + STEPS, file);
    assertTrue(said.contains(whole), said + ", expected " + whole);
  }

  @Test
  void tenThousandStepsNeedNoMoreMemory() throws Exception {
    String grown = finished("" + LONG).get(2);
    assertTrue(Long.parseLong(grown.substring(6)) < MOST_GROWTH, grown);
  }
}
