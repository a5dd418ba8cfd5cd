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

  /**
   * Files of the backward pass: {@code dout} to read, the others to write; those may be null.
   *
   * @param deterministic whether every run is to give the same bits
   */
  public record Gradients(
      Path dout,
      Path dquery,
      Path dkey,
      Path dvalue,
      Path dbias,
      Path dalibiSlopes,
      Path dsinks,
      boolean deterministic) {}

  private final Attention attention;
  private final Device device;
  private final DType dtype;
  private final int threads;

  /**
   * A run.
   *
   * @param device where it runs
   * @param dtype type to convert query, key, value and dout to; null: each that of its file
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
   * @param gradients null: no backward pass
   * @param text where lines for people go
   * @return what was computed
   */
  public JsonObject run(
      String operation, Inputs inputs, Results results, Gradients gradients, PrintStream text)
      throws IOException {
    try (Scope scope = Scope.open(device);
        Arena mappings = Arena.ofShared()) {
      NpyTensors files = new NpyTensors(scope, mappings);
      Operands operands = Operands.read(files, inputs, dtype);
      Tensor query = operands.query();
      long batch = query.size(0);
      long rows = query.size(1);
      long heads = query.size(2);
      Tensor out = scope.allocate(query.dtype(), batch, rows, heads, operands.value().size(3));
      AttentionCall call =
          operands
              .call(attention)
              .out(out)
              .dropoutSeed(inputs.dropoutSeed(), inputs.dropoutOffset())
              .parallelism(threads);
      Tensor lse = null;
      if (results.lse() != null || gradients != null) {
        lse = scope.allocate(DType.FLOAT32, batch, heads, rows);
        call.lse(lse);
      }
      Tensor weights = null;
      if (results.weights() != null) {
        weights = scope.allocate(DType.FLOAT32, batch, heads, rows, operands.key().size(1));
        call.weights(weights);
      }
      String kernel = call.plan().kernel();
      Backward backward = null;
      if (gradients != null) {
        Tensor dout = files.floats("dout", gradients.dout(), dtype);
        backward = new Backward(gradients, call, operands, dout, scope);
      }

      double milliseconds = milliseconds(call::run);
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
      if (backward != null) {
        document.add("backward", backward.run(text));
      }
      return document;
    }
  }

  static double milliseconds(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) * 1e-6;
  }

  /** Writes a result, unless its file is null. */
  static void write(JsonObject document, String name, Tensor tensor, Path file) throws IOException {
    if (file == null) {
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
