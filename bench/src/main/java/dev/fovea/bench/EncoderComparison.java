package dev.fovea.bench;

import ai.onnxruntime.OrtException;
import dev.fovea.bench.Interleaved.Contestant;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.cli.demo.Model;
import dev.fovea.cli.demo.OnnxComparison;
import dev.fovea.cli.demo.OnnxRuntime;
import dev.fovea.cli.demo.RaggedSample;
import dev.fovea.encoder.Encoder;
import dev.fovea.ffi.OpenBlas;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * The sentence encoder beside ONNX Runtime on the same model: ragged sentences on our side, on the
 * peer's one padded batch or, which is its best way on a CPU, one sentence after the other.
 */
@Command(name = "bench/run encoder", mixinStandardHelpOptions = true)
public final class EncoderComparison extends Comparison {

  static final String FOVEA = "fovea";
  static final String PADDED = "onnxruntime padded";
  static final String ONE_BY_ONE = "onnxruntime one by one";

  private static final double MIN_COSINE = 0.99999;
  private static final double MAX_DIFFERENCE = 2e-5;
  private static final int WARM_UPS = 4;
  private static final long QUIET_MILLIS = 80;

  /** Multiply-adds of a token in the matrix products of all layers: q, k, v, out, up, down. */
  private static final double TOKEN_PRODUCTS = 6.0 * 384 * (4 * 384 + 2 * 1536);

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new EncoderComparison()).execute(args));
  }

  @Override
  String benchmark() {
    return "encoder";
  }

  @Override
  Report measure() throws Exception {
    byte[] model = Model.read();
    try (Encoder encoder = Model.encoder(model);
        OnnxRuntime peer = new OnnxRuntime(model, threads)) {
      Report report = Report.begin(benchmark(), versions(peer));
      Ceiling ceiling = new Ceiling(MachineUnit.FLOP);
      ceiling.measure();
      // A turn is a whole pass over the sentences: long enough.
      Settings settings = new Settings(rounds, 0, Double.MAX_VALUE);
      Row row = measure(encoder, peer, RaggedSample.of(encoder), settings, ceiling);
      report.rows().add(row);
      System.out.println(row.parameters() + " " + row.figures() + " " + row.ratios());
      return report;
    }
  }

  private static Map<String, String> versions(OnnxRuntime peer) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("fovea", foveaVersion());
    versions.put("onnxruntime", peer.version());
    versions.put("openblas", OpenBlas.config());
    versions.put("model", Model.NAME);
    return versions;
  }

  /** Verifies that both agree on every sentence, then times them against each other. */
  Row measure(
      Encoder encoder, OnnxRuntime peer, List<int[]> sentences, Settings settings, Ceiling ceiling)
      throws Exception {
    Row row = Row.of(parameters(sentences));
    verify(encoder, peer, sentences, row);
    for (int i = 0; i < WARM_UPS; i++) {
      encoder.embedTokens(sentences, threads);
    }
    List<Contestant> contestants = new ArrayList<>();
    long quiet = threads > 1 ? QUIET_MILLIS : 0;
    contestants.add(new Contestant(FOVEA, () -> encoder.embedTokens(sentences, threads)));
    contestants.add(new Contestant(PADDED, () -> peer.embedPadded(sentences), quiet));
    contestants.add(new Contestant(ONE_BY_ONE, () -> peer.embedOneByOne(sentences), quiet));
    Rounds measured = Interleaved.run(contestants, settings);
    for (String name : measured.names()) {
      row.rounds().put(name, measured.count(name));
      row.figure(name + " sentences/s", sentences.size() / measured.median(name));
      double flops = flops(sentences);
      row.figure(name + " useful GFLOP/s", flops / measured.median(name) * 1e-9);
      ceiling.check(name, flops / measured.fastest(name), threads, 1);
      if (!name.equals(FOVEA)) {
        row.compare(name, measured, FOVEA, name, 1);
      }
    }
    return row;
  }

  private static void verify(Encoder encoder, OnnxRuntime peer, List<int[]> sentences, Row row)
      throws OrtException {
    OnnxComparison.Agreement agreement = OnnxComparison.agreement(encoder, peer, sentences);
    if (!(agreement.minCosine() >= MIN_COSINE && agreement.maxAbsDiff() <= MAX_DIFFERENCE)) {
      throw new WrongOutputException("encoder and ONNX Runtime disagree: " + agreement);
    }
    row.check("1 - cosine with onnxruntime, largest", 1 - agreement.minCosine());
    row.check("difference to onnxruntime, largest", agreement.maxAbsDiff());
  }

  private Map<String, String> parameters(List<int[]> sentences) {
    int tokens = sentences.stream().mapToInt(s -> s.length).sum();
    int longest = sentences.stream().mapToInt(s -> s.length).max().orElse(0);
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("threads", String.valueOf(threads));
    parameters.put("sentences", String.valueOf(sentences.size()));
    parameters.put("tokens", String.valueOf(tokens));
    parameters.put("padded tokens", String.valueOf(sentences.size() * longest));
    return parameters;
  }

  /** Operations that the embeddings need: products and attention, nothing for padding. */
  static double flops(List<int[]> sentences) {
    double flops = 0;
    for (int[] sentence : sentences) {
      double n = sentence.length;
      flops += 2 * TOKEN_PRODUCTS * n + 6 * 4.0 * 384 * n * n;
    }
    return flops;
  }
}
