package dev.fovea.bench;

import ai.djl.engine.Engine;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.bench.Interleaved.Contestant;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.ffi.OpenBlas;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Operands;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;
import dev.fovea.nn.train.Loss;
import dev.fovea.nn.train.Optimizer;
import dev.fovea.nn.train.Schedule;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * Steps of training of one transformer with the same first values and the same tokens: fovea-nn
 * beside DJL with its PyTorch engine, both with all processors.
 */
@Command(name = "bench/run training", mixinStandardHelpOptions = true)
public final class TrainingComparison extends Comparison {

  static final String FOVEA = "fovea";
  static final String DJL = "djl";
  static final String TOKENS = " tokens/s";
  static final float RATE = 1e-3f;

  /** DJL adds it where the correction of the bias is not in the root yet: too little to matter. */
  static final float EPSILON = 1e-12f;

  private static final Sizes SIZES = new Sizes(1000, 256, 8, 4, 256, 16);
  private static final int VERIFIED = 10; // steps
  private static final double MOST = 1e-4; // difference of losses after these
  private static final long QUIET_MILLIS = 80;

  /** Sizes of the model and of a batch. */
  record Sizes(int vocabulary, int width, int heads, int layers, int length, int batch) {}

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new TrainingComparison()).execute(args));
  }

  private static final class Transformer extends Module {
    private final Embedding embedding =
        child("embedding", new Embedding(SIZES.vocabulary, SIZES.width));
    private final TransformerEncoder encoder =
        child(
            "encoder",
            new TransformerEncoder(
                TransformerConfig.of(SIZES.width, SIZES.heads).postNorm(), SIZES.layers));
    private final Linear head = child("head", new Linear(SIZES.width, SIZES.vocabulary));

    Variable forward(Variable ids) {
      return head.forward(encoder.forward(embedding.forward(ids), Operands.none()));
    }
  }

  @Override
  String benchmark() {
    return "training";
  }

  @Override
  Report measure() throws Exception {
    Report report = Report.begin(benchmark(), versions());
    Transformer model = new Transformer();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        DjlTransformer peer =
            new DjlTransformer(SIZES, name -> parameters.named().get(name).value().toFloatArray());
        Optimizer optimizer =
            new Optimizer(
                parameters, OptimizerStep.adamw(0.9, 0.999, EPSILON), Schedule.constant(RATE));
        Tape tape = Tape.open(Device.cpu())) {
      Random random = new Random(5);
      int[] ids = random.ints((long) SIZES.batch * SIZES.length, 0, SIZES.vocabulary).toArray();
      int[] targets = random.ints(ids.length, 0, SIZES.vocabulary).toArray();
      Row row = Row.of(parameters());
      double apart = 0;
      for (int i = 0; i < VERIFIED; i++) {
        double ours = step(model, optimizer, tape, ids, targets);
        apart = Math.abs(ours - peer.step(ids, targets));
      }
      if (!(apart <= MOST)) {
        throw new WrongOutputException(
            "losses are %g apart after %d steps".formatted(apart, VERIFIED));
      }
      row.check("difference of losses after " + VERIFIED + " steps", apart);
      Rounds measured =
          Interleaved.run(
              List.of(
                  new Contestant(FOVEA, () -> step(model, optimizer, tape, ids, targets)),
                  new Contestant(DJL, () -> peer.step(ids, targets), QUIET_MILLIS)),
              new Settings(rounds, 0, Double.MAX_VALUE));
      for (String name : measured.names()) {
        row.rounds().put(name, measured.count(name));
        row.figure(name + TOKENS, ids.length / measured.median(name));
      }
      row.compare(DJL, measured, FOVEA, DJL, 1);
      report.rows().add(row);
      System.out.println(row.parameters() + " " + row.figures() + " " + row.ratios());
      return report;
    }
  }

  private static double step(
      Transformer model, Optimizer optimizer, Tape tape, int[] ids, int[] targets) {
    tape.begin();
    Variable in = tape.input(DType.INT32, SIZES.batch, SIZES.length);
    Variable wanted = tape.input(DType.INT32, SIZES.batch, SIZES.length);
    in.value().copyFrom(ids);
    wanted.value().copyFrom(targets);
    Loss loss = Loss.crossEntropy(model.forward(in), wanted);
    loss.backward();
    optimizer.step();
    return loss.value();
  }

  private static Map<String, String> versions() {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("fovea", foveaVersion());
    versions.put("djl", Engine.getDjlVersion() + ", PyTorch " + Engine.getInstance().getVersion());
    versions.put("openblas", OpenBlas.config());
    return versions;
  }

  private Map<String, String> parameters() {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("threads", String.valueOf(threads));
    parameters.put("layers", String.valueOf(SIZES.layers));
    parameters.put("width", String.valueOf(SIZES.width));
    parameters.put("heads", String.valueOf(SIZES.heads));
    parameters.put("length", String.valueOf(SIZES.length));
    parameters.put("batch", String.valueOf(SIZES.batch));
    parameters.put("vocabulary", String.valueOf(SIZES.vocabulary));
    return parameters;
  }
}
