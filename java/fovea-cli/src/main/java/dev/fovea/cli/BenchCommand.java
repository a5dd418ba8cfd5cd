package dev.fovea.cli;

import com.google.gson.JsonObject;
import dev.fovea.Device;
import dev.fovea.cli.attend.Wording;
import dev.fovea.cli.bench.AttentionBench;
import dev.fovea.cli.bench.AttentionSizes;
import dev.fovea.ffi.OpenBlas;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Speed on a shape, beside peers. */
@Command(
    name = "bench",
    description = {
      "Time attention on one shape beside OpenBLAS.",
      "The peers are its matrix product of 1024 x 1024 x 1024, and attention made of its matrix"
          + " products and a softmax. The result is compared with an oracle in double precision"
          + " first."
    })
final class BenchCommand extends CliCommand {

  @Option(names = "--batch", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
  private int batch;

  @Option(names = "--heads", defaultValue = "8", description = "Default ${DEFAULT-VALUE}.")
  private int heads;

  @Option(names = "--kv-heads", description = "Default: as many as --heads.")
  private Integer keyHeads;

  @Option(
      names = "--query-length",
      defaultValue = "1024",
      description = "Default ${DEFAULT-VALUE}.")
  private int queryLength;

  @Option(names = "--key-length", description = "Default: as --query-length.")
  private Integer keyLength;

  @Option(names = "--head-dim", defaultValue = "64", description = "Default ${DEFAULT-VALUE}.")
  private int headDim;

  @Option(
      names = "--dtype",
      defaultValue = "float32",
      description = "float32, float16 or bfloat16; default ${DEFAULT-VALUE}.")
  private FloatType dtype;

  @Option(names = "--causal", description = "Mask later keys.")
  private boolean causal;

  @Option(names = "--threads", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
  private int threads;

  @Option(
      names = "--rounds",
      defaultValue = "9",
      description = "Rounds in turn; default ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--backend",
      defaultValue = "cpu",
      description = "cpu, or a tier such as cpu:avx2; default ${DEFAULT-VALUE}.")
  private String backend;

  @Override
  public Integer call() throws Exception {
    between("--threads", threads, 1, OpenBlas.MAX_THREADS);
    between("--rounds", rounds, 1, AttentionBench.MOST_ROUNDS);
    if (!backend.startsWith("cpu")) {
      throw new IllegalArgumentException(
          "--backend is '%s', expected cpu or one of its tiers: the peers run on the CPU"
              .formatted(backend));
    }
    AttentionSizes sizes =
        new AttentionSizes(
            batch,
            heads,
            keyHeads == null ? heads : keyHeads,
            queryLength,
            keyLength == null ? queryLength : keyLength,
            headDim,
            dtype.dtype(),
            causal);
    sizes.checkMemory(threads);
    Device device = Devices.named(backend);
    Wording wording = new Wording().with("--head-dim");
    try (AttentionBench bench = wording.say(() -> new AttentionBench(sizes, device, threads))) {
      int rows = bench.verify();
      text().printf("%s, %s%n", device.description(), OpenBlas.config());
      text()
          .printf(
              "query [%d, %d, %d, %d], key and value [%d, %d, %d, %d], %s%s, %d thread%s: %s%n",
              batch,
              queryLength,
              heads,
              headDim,
              batch,
              sizes.keyLength(),
              sizes.keyHeads(),
              headDim,
              dtype,
              causal ? ", causal" : "",
              threads,
              threads == 1 ? "" : "s",
              bench.kernel());
      text().printf("%d row%s with the oracle.%n", rows, rows == 1 ? " agrees" : "s agree");
      AttentionBench.Result result = bench.run(rounds);
      print(result);
      document(json(device, sizes, bench.kernel(), rows, result));
    }
    return 0;
  }

  private void print(AttentionBench.Result result) {
    String line = "  %-34s %7.1f GFLOP/s   Fovea: %.2f times%n";
    text().printf(Locale.ROOT, "  %-34s %7.1f GFLOP/s%n", "Fovea", result.fovea());
    text()
        .printf(
            Locale.ROOT, line, "OpenBLAS sgemm 1024, float32", result.sgemm(), result.overSgemm());
    text()
        .printf(
            Locale.ROOT,
            line,
            "unfused, OpenBLAS, float32",
            result.unfused(),
            result.overUnfused());
    text().printf("Medians of %d rounds; FLOPs of unmasked pairs.%n", rounds);
  }

  private JsonObject json(
      Device device, AttentionSizes sizes, String kernel, int rows, AttentionBench.Result result) {
    JsonObject json = new JsonObject();
    json.addProperty("device", device.name());
    json.addProperty("description", device.description());
    json.addProperty("openBlas", OpenBlas.config());
    json.addProperty("kernel", kernel);
    json.addProperty("batch", batch);
    json.addProperty("heads", heads);
    json.addProperty("kvHeads", sizes.keyHeads());
    json.addProperty("queryLength", queryLength);
    json.addProperty("keyLength", sizes.keyLength());
    json.addProperty("headDim", headDim);
    json.addProperty("dtype", dtype.toString());
    json.addProperty("causal", causal);
    json.addProperty("threads", threads);
    json.addProperty("rounds", rounds);
    json.addProperty("rowsVerified", rows);
    json.addProperty("foveaGflops", result.fovea());
    json.addProperty("sgemmGflops", result.sgemm());
    json.addProperty("unfusedGflops", result.unfused());
    json.addProperty("timesSgemm", result.overSgemm());
    json.addProperty("timesUnfused", result.overUnfused());
    return json;
  }
}
