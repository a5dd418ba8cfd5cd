package dev.fovea.cli.train;

import com.google.gson.JsonObject;
import dev.fovea.Device;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.files.DemoPicture;
import dev.fovea.cli.train.Trainer.Score;
import dev.fovea.pictures.LossPlot;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What {@code fovea demo --train} does: a small Transformer learns to sort. */
public final class TrainDemo {

  /** Steps that are enough, with room to spare. */
  public static final int STEPS = 1500;

  /** More are more than a week's work, and more losses than a plot can show. */
  public static final int MOST_STEPS = 10_000_000;

  /** Share of tokens that has to be right in the end. */
  private static final double ENOUGH = 0.99;

  private static final Transformer.Sizes SIZES = new Transformer.Sizes(16, 32, 64, 4, 128, 2);
  private static final int BATCH = 32;
  private static final int EVALUATED = 32; // batches
  private static final int REPORT = 100; // steps

  /**
   * What to do.
   *
   * @param steps of training
   * @param seed of parameters and data
   * @param plot file to draw the losses to; null: {@link DemoPicture#LOSSES}, if it can be drawn
   */
  public record Settings(int steps, long seed, Path plot) {}

  private final Settings settings;
  private final PrintStream text;

  /**
   * A demo.
   *
   * @param text where results for people go
   */
  public TrainDemo(Settings settings, PrintStream text) {
    this.settings = settings;
    this.text = text;
  }

  /** Runs it and returns the results. */
  public JsonObject run() throws IOException {
    try (CommandFiles files = new CommandFiles();
        Trainer trainer = trainer()) {
      DemoPicture picture =
          DemoPicture.of("--plot", settings.plot(), DemoPicture.LOSSES, files, text);
      print(
          "A Transformer of %d attention layers, %,d parameters, learns to sort %d tokens from a"
              + " vocabulary of %d.%n",
          SIZES.layers(), trainer.parameters(), SIZES.length(), SIZES.vocabulary());
      long start = System.nanoTime();
      double[] losses = train(trainer);
      double seconds = (System.nanoTime() - start) * 1e-9;
      Score score = trainer.evaluate(EVALUATED);
      double speed = (double) settings.steps() * BATCH * SIZES.length() / seconds;
      print(
          "%d steps in %.1f s, %,.0f tokens/s. Of %,d fresh sequences %.2f %% of the tokens are"
              + " right, loss %.4f. The first:%n",
          settings.steps(),
          seconds,
          speed,
          EVALUATED * BATCH,
          100 * score.accuracy(),
          score.loss());
      print("  in   %s%n  out  %s%n", words(trainer.sequence()), words(trainer.answer()));
      Path plot = picture.draw(() -> new LossPlot(losses, title(score)).png());
      files.commit();
      if (plot != null) {
        print("%s shows the loss.%n", plot);
      }
      boolean learnt = score.accuracy() > ENOUGH;
      if (!learnt) {
        print("That is not over %.0f %%: it has not learnt to sort.%n", 100 * ENOUGH);
      }
      JsonObject document = new JsonObject();
      document.addProperty("learnt", learnt);
      document.addProperty("accuracy", score.accuracy());
      document.addProperty("loss", Double.isFinite(score.loss()) ? score.loss() : null);
      document.addProperty("seconds", seconds);
      document.addProperty("steps", settings.steps());
      document.addProperty("tokensPerSecond", speed);
      document.addProperty("parameters", trainer.parameters());
      document.addProperty("seed", settings.seed());
      document.addProperty("plot", plot == null ? null : plot.toString());
      return document;
    }
  }

  private Trainer trainer() {
    return new Trainer(Device.cpu(), SIZES, BATCH, settings.steps(), settings.seed());
  }

  private double[] train(Trainer trainer) {
    double[] losses = new double[settings.steps()];
    double loss = 0;
    double accuracy = 0;
    int since = 0;
    long start = System.nanoTime();
    for (int step = 1; step <= losses.length; step++) {
      Score score = trainer.step();
      losses[step - 1] = score.loss();
      loss += score.loss();
      accuracy += score.accuracy();
      since++;
      if (step % REPORT == 0 || step == losses.length) {
        long now = System.nanoTime();
        print(
            "  step %5d   loss %.4f   accuracy %5.1f %%   %,8.0f tokens/s%n",
            step,
            loss / since,
            100 * accuracy / since,
            (double) since * BATCH * SIZES.length() / ((now - start) * 1e-9));
        loss = 0;
        accuracy = 0;
        since = 0;
        start = now;
      }
    }
    return losses;
  }

  private static String title(Score score) {
    return String.format(
        Locale.ROOT,
        "Sorting %d tokens: loss of each step; %.2f %% of fresh tokens right",
        SIZES.length(),
        100 * score.accuracy());
  }

  private static String words(int[] tokens) {
    return Arrays.stream(tokens).mapToObj(Integer::toString).collect(Collectors.joining(" "));
  }

  private void print(String format, Object... arguments) {
    text.printf(Locale.ROOT, format, arguments);
  }
}
