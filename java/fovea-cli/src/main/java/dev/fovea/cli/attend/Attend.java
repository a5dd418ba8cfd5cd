package dev.fovea.cli.attend;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Locale;

/** One run of attention on files. */
public final class Attend {

  /** Files to read and numbers that belong to the call; what is optional may be null. */
  public record Inputs(
      Path query,
      Path key,
      Path value,
      Path bias,
      Path alibiSlopes,
      Path sinks,
      Path queryLengths,
      Path keyLengths,
      long dropoutSeed,
      int dropoutOffset) {}

  /** Files to write; all but {@code out} may be null. */
  public record Results(Path out, Path lse, Path weights) {}

  private final Attention attention;
  private final Device device;
  private final DType dtype;
  private final int threads;

  /**
   * A run.
   *
   * @param device where it runs
   * @param dtype type to convert query, key and value to; null: that of the query's file
   */
  public Attend(Attention attention, Device device, DType dtype, int threads) {
    this.attention = attention;
    this.device = device;
    this.dtype = dtype;
    this.threads = threads;
  }

  /**
   * Runs it.
   *
   * @param operation its name, for the document
   * @param text where a line for people goes
   * @return what was computed
   */
  public JsonObject run(String operation, Inputs inputs, Results results, PrintStream text)
      throws IOException {
    try (Scope scope = Scope.open(device);
        Arena mappings = Arena.ofShared()) {
      NpyTensors files = new NpyTensors(scope, mappings);
      Tensor query = files.floats("query", inputs.query(), dtype);
      Tensor key = files.floats("key", inputs.key(), dtype);
      Tensor value = files.floats("value", inputs.value(), dtype);
      rank4("query", query);
      rank4("key", key);
      rank4("value", value);
      long batch = query.size(0);
      long rows = query.size(1);
      long heads = query.size(2);
      Tensor out = scope.allocate(query.dtype(), batch, rows, heads, value.size(3));
      AttentionCall call =
          attention
              .call(query, key, value)
              .out(out)
              .dropoutSeed(inputs.dropoutSeed(), inputs.dropoutOffset())
              .parallelism(threads);
      if (inputs.bias() != null) {
        call.bias(files.floats("bias", inputs.bias(), null));
      }
      if (inputs.alibiSlopes() != null) {
        call.alibiSlopes(files.floats("alibi-slopes", inputs.alibiSlopes(), DType.FLOAT32));
      }
      if (inputs.sinks() != null) {
        call.sinks(files.floats("sinks", inputs.sinks(), DType.FLOAT32));
      }
      if (inputs.queryLengths() != null) {
        call.queryLengths(files.lengths("query-lengths", inputs.queryLengths()));
      }
      if (inputs.keyLengths() != null) {
        call.keyLengths(files.lengths("key-lengths", inputs.keyLengths()));
      }
      Tensor lse = null;
      if (results.lse() != null) {
        lse = scope.allocate(DType.FLOAT32, batch, heads, rows);
        call.lse(lse);
      }
      Tensor weights = null;
      if (results.weights() != null) {
        weights = scope.allocate(DType.FLOAT32, batch, heads, rows, key.size(1));
        call.weights(weights);
      }

      String kernel = call.plan().kernel();
      long start = System.nanoTime();
      call.run();
      double milliseconds = (System.nanoTime() - start) * 1e-6;

      JsonObject document = new JsonObject();
      document.addProperty("op", operation);
      document.addProperty("device", device.name());
      document.addProperty("kernel", kernel);
      document.addProperty("dtype", query.dtype().name().toLowerCase(Locale.ROOT));
      document.addProperty("firstRunMilliseconds", milliseconds);
      write(document, "out", out, results.out());
      write(document, "lse", lse, results.lse());
      write(document, "weights", weights, results.weights());
      text.printf(
          Locale.ROOT,
          "%s on %s by %s: out %s -> %s (first run, %.1f ms)%n",
          operation,
          device.name(),
          kernel,
          NpyTensors.text(out),
          results.out(),
          milliseconds);
      return document;
    }
  }

  /** Before out is shaped after them; the call checks all the rest. */
  private static void rank4(String name, Tensor tensor) {
    if (tensor.rank() != 4) {
      throw new IllegalArgumentException(
          "%s has shape %s, expected four dimensions [batch, sequence, head, width]"
              .formatted(name, NpyTensors.text(tensor)));
    }
  }

  private static void write(JsonObject document, String name, Tensor tensor, Path file)
      throws IOException {
    if (tensor == null) {
      return;
    }
    NpyTensors.write(tensor, file);
    JsonArray shape = new JsonArray();
    for (long size : tensor.shape()) {
      shape.add(size);
    }
    JsonObject written = new JsonObject();
    written.addProperty("file", file.toString());
    written.add("shape", shape);
    document.add(name, written);
  }
}
