package dev.fovea.nn.train;

import dev.fovea.nn.Parameter;
import dev.fovea.nn.Tape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.DoubleSupplier;

/**
 * A training run: steps of an {@link Optimizer} on the losses of batches, with checkpoints that it
 * goes on from, metrics for who watches, and an end when nothing gets better any more.
 *
 * {@snippet :
 * try (Parameters parameters = Parameters.of(model, device, seed);
 *     Tape tape = Tape.open(device, seed);
 *     Optimizer optimizer = new Optimizer(parameters, OptimizerStep.adamw(0.9, 0.98, 1e-9), schedule)) {
 *   Trainer trainer =
 *       Trainer.of(tape, optimizer, batch -> model.loss(tape, data.batch(batch)))
 *           .steps(1500)
 *           .checkpoints(Path.of("run.safetensors"), 100)
 *           .metrics(Path.of("run.jsonl"));
 *   trainer.run();
 * }
 * }
 *
 * <p>A run that was killed is run again by the same program: it goes on behind the last checkpoint,
 * to the same bits. For that a batch must follow from its number alone.
 */
public final class Trainer {
  /** The loss of a batch; the tape's step has begun. */
  @FunctionalInterface
  public interface Batches {
    /**
     * Computes the loss.
     *
     * @param number of the batch, from 0 on: what it consists of follows from that. It may be asked
     *     for several times
     */
    Loss loss(int number);
  }

  /** Watches a run. */
  @FunctionalInterface
  public interface Listener {
    /** A step has been taken, or an evaluation made: numbers by their names. */
    void metrics(int step, Map<String, Double> metrics);
  }

  private final Tape tape;
  private final Optimizer optimizer;
  private final Batches batches;
  private int steps = 1000;
  private int accumulated = 1;
  private LossScale scale; // null: none
  private Parameter table; // that is moved; null: none
  private double epsilon;
  private Path checkpoint; // null: none
  private int checkpointEvery;
  private Path metricsFile; // null: none
  private Path eventFolder; // null: none
  private Listener listener = (step, metrics) -> {};
  private DoubleSupplier evaluation; // null: none
  private int evaluateEvery;
  private int patience;

  // Of the run.
  private Adversary adversary; // null: none
  private double best = Double.POSITIVE_INFINITY;
  private int worse; // evaluations in a row that were not better
  private boolean stopped;

  private Trainer(Tape tape, Optimizer optimizer, Batches batches) {
    this.tape = Objects.requireNonNull(tape, "tape");
    this.optimizer = Objects.requireNonNull(optimizer, "optimizer");
    this.batches = Objects.requireNonNull(batches, "batches");
  }

  /** A run of 1000 steps. */
  public static Trainer of(Tape tape, Optimizer optimizer, Batches batches) {
    return new Trainer(tape, optimizer, batches);
  }

  /** How many steps the run has in all, those before a checkpoint counted. */
  public Trainer steps(int steps) {
    this.steps = atLeastOne("steps", steps);
    return this;
  }

  /** How many batches make one step: the gradient is their mean. */
  public Trainer accumulate(int batches) {
    accumulated = atLeastOne("batches", batches);
    return this;
  }

  /** Scales losses for backward passes: what a model needs that computes in float16. */
  public Trainer lossScale(LossScale scale) {
    this.scale = Objects.requireNonNull(scale, "scale");
    return this;
  }

  /**
   * Adversarial training, also known as the fast gradient method: each batch is computed once more
   * with the rows of an embedding's table moved by {@code epsilon g / ||g||}, g being the gradient
   * by the table of its loss, and the gradients of both losses are added up (Miyato et al.,
   * Adversarial training methods for semi-supervised text classification, 2016, arXiv 1605.07725,
   * equations 5 and 6; there every sequence has a length of its own, here a batch has one). The
   * table is what it was then, bit for bit, whatever fails.
   *
   * <p>Both passes are the same step of the tape and drop the same. The metric {@code
   * "adversarialLoss"} is that of the second one.
   *
   * @param table one of the optimiser's parameters: where it is shared, what shares it moves too
   * @param epsilon how far, in the units of the table, above 0
   * @throws IllegalArgumentException if the table is none of the optimiser's parameters, or {@code
   *     epsilon} is no number above 0
   */
  public Trainer adversarial(Parameter table, double epsilon) {
    if (!optimizer.parameters().all().contains(Objects.requireNonNull(table, "table"))) {
      throw new IllegalArgumentException(table + " is none of the parameters that are trained");
    }
    if (!(epsilon > 0) || epsilon == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException("epsilon is " + epsilon + ", expected a number above 0");
    }
    this.table = table;
    this.epsilon = epsilon;
    return this;
  }

  /**
   * A file to go on from and to write to, every so many steps and at the end. One that is killed
   * while it writes leaves the one before.
   */
  public Trainer checkpoints(Path file, int every) {
    checkpoint = Objects.requireNonNull(file, "file");
    checkpointEvery = atLeastOne("every", every);
    return this;
  }

  /**
   * A file for metrics, a line of JSON for each step and evaluation; one that is there is
   * continued.
   */
  public Trainer metrics(Path file) {
    metricsFile = Objects.requireNonNull(file, "file");
    return this;
  }

  /** A folder for an event file of TensorBoard. */
  public Trainer events(Path folder) {
    eventFolder = Objects.requireNonNull(folder, "folder");
    return this;
  }

  /** Who watches: a progress bar, a plot. */
  public Trainer listener(Listener listener) {
    this.listener = Objects.requireNonNull(listener, "listener");
    return this;
  }

  /**
   * What is to become small on data that is not trained on. A checkpoint knows the best.
   *
   * @param every so many steps
   * @param patience evaluations in a row that may be no better before the run ends early; 0: it
   *     does not
   */
  public Trainer evaluate(DoubleSupplier evaluation, int every, int patience) {
    this.evaluation = Objects.requireNonNull(evaluation, "evaluation");
    evaluateEvery = atLeastOne("every", every);
    if (patience < 0) {
      throw new IllegalArgumentException("patience is " + patience + ", expected 0 or more");
    }
    this.patience = patience;
    return this;
  }

  private static int atLeastOne(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " is " + value + ", expected at least 1");
    }
    return value;
  }

  /**
   * Runs to the end, from the checkpoint where there is one.
   *
   * @return the losses of the steps that were taken now
   * @throws TrainingException if a loss or a gradient is no finite number: nothing was changed by
   *     it, and the checkpoint is that of a step before
   * @throws UncheckedIOException if a checkpoint cannot be read or written, or metrics cannot be
   *     written
   */
  public double[] run() {
    try (MetricFiles files = new MetricFiles(metricsFile, eventFolder);
        Adversary it = adversary()) {
      adversary = it;
      resume();
      int before = optimizer.steps();
      double[] losses = new double[Math.max(0, steps - before)];
      int taken = 0;
      while (optimizer.steps() < steps && !stopped) {
        losses[taken++] = step(files);
      }
      return Arrays.copyOf(losses, taken);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Adversary adversary() {
    return table == null ? null : new Adversary(optimizer.parameters(), table, epsilon);
  }

  private double step(MetricFiles files) throws IOException {
    int step = optimizer.steps() + 1;
    double rate = optimizer.rate();
    Map<String, Double> metrics = new LinkedHashMap<>();
    try {
      change(step, metrics);
    } catch (Throwable t) {
      optimizer.parameters().zeroGradients(); // those of some batches of the step
      throw t;
    }
    metrics.put("learningRate", rate);
    if (evaluation != null && step % evaluateEvery == 0) {
      evaluate(metrics);
    }
    files.write(step, metrics);
    listener.metrics(step, metrics);
    if (checkpoint != null && (step % checkpointEvery == 0 || step == steps || stopped)) {
      Checkpoint.write(checkpoint, optimizer, numbers());
    }
    return metrics.get("loss");
  }

  /** Takes a step, again and again where the loss scale is too large for it. */
  private void change(int step, Map<String, Double> metrics) {
    double norm = tried(step, metrics);
    while (!Double.isFinite(norm)) {
      if (scale == null || !scale.failed()) {
        throw new TrainingException(step, "the gradient's norm of step " + step + " is " + norm);
      }
      optimizer.parameters().zeroGradients();
      norm = tried(step, metrics);
    }
    metrics.put("gradientNorm", norm);
    if (scale != null) {
      metrics.put("lossScale", scale.value());
      scale.passed();
    }
  }

  /** Takes a step if the gradient's norm, which it returns, is a finite number. */
  private double tried(int step, Map<String, Double> metrics) {
    double used = scale == null ? 1 : scale.value();
    double loss = 0;
    double adversarial = 0;
    for (int part = 0; part < accumulated; part++) {
      int number = Math.multiplyExact(step - 1, accumulated) + part;
      if (adversary == null) {
        loss += pass(step, number, used) / accumulated;
      } else {
        adversary.begin();
        loss += pass(step, number, used) / accumulated;
        adversarial += adversary.moved(() -> pass(step, number, used)) / accumulated;
      }
    }
    metrics.put("loss", loss);
    if (adversary != null) {
      metrics.put("adversarialLoss", adversarial);
    }
    return optimizer.step(1 / (accumulated * used));
  }

  /** Adds the gradients of a batch to those there are; its loss. */
  private double pass(int step, int number, double used) {
    tape.begin(number);
    Loss loss = batches.loss(number);
    if (!Double.isFinite(loss.value())) {
      throw new TrainingException(step, "the loss of step " + step + " is " + loss.value());
    }
    loss.backward(used);
    return loss.value();
  }

  /** What a checkpoint knows of the run beside what the optimiser keeps. */
  private Map<String, String> numbers() {
    Map<String, String> numbers = new LinkedHashMap<>();
    numbers.put("best", Double.toString(best));
    numbers.put("worse", Integer.toString(worse));
    if (scale != null) {
      numbers.put("lossScale", Double.toString(scale.value()));
      numbers.put("goodSteps", Integer.toString(scale.good()));
    }
    return numbers;
  }

  private void evaluate(Map<String, Double> metrics) {
    double value = evaluation.getAsDouble();
    metrics.put("evaluation", value);
    if (value < best) {
      best = value;
      worse = 0;
    } else {
      worse++;
    }
    stopped = patience > 0 && worse >= patience;
  }

  private void resume() throws IOException {
    if (checkpoint == null || !Files.exists(checkpoint)) {
      return;
    }
    Map<String, String> numbers = Checkpoint.read(checkpoint, optimizer);
    best = Double.parseDouble(numbers.getOrDefault("best", "Infinity"));
    worse = Integer.parseInt(numbers.getOrDefault("worse", "0"));
    if (scale != null && numbers.containsKey("lossScale")) {
      scale.resume(
          Double.parseDouble(numbers.get("lossScale")), Integer.parseInt(numbers.get("goodSteps")));
    }
    stopped = patience > 0 && worse >= patience;
  }
}
