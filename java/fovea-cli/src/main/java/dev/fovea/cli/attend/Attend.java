package dev.fovea.cli.attend;

import com.google.gson.JsonObject;
import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.memory.MemoryNeed;
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
      int dropoutOffset) {

    private void name(CommandFiles files) throws IOException {
      files.reads("--query", query);
      files.reads("--key", key);
      files.reads("--value", value);
      files.reads("--bias", bias);
      files.reads("--alibi-slopes", alibiSlopes);
      files.reads("--sinks", sinks);
      files.reads("--query-lengths", queryLengths);
      files.reads("--key-lengths", keyLengths);
    }

    private Wording wording() {
      return new Wording()
          .with("--query", query)
          .with("--key", key)
          .with("--value", value)
          .with("--bias", bias)
          .with("--alibi-slopes", alibiSlopes)
          .with("--sinks", sinks)
          .with("--query-lengths", queryLengths)
          .with("--key-lengths", keyLengths)
          .withSizes(query, key, value);
    }
  }

  /** Files to write; all but {@code out} may be null. */
  public record Results(Path out, Path lse, Path weights) {

    private void name(CommandFiles files) throws IOException {
      files.writes("--out", out);
      files.writes("--lse", lse);
      files.writes("--weights", weights);
    }
  }

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
      boolean deterministic) {

    private void name(CommandFiles files) throws IOException {
      files.writes("--dquery", dquery);
      files.writes("--dkey", dkey);
      files.writes("--dvalue", dvalue);
      files.writes("--dbias", dbias);
      files.writes("--dalibi-slopes", dalibiSlopes);
      files.writes("--dsinks", dsinks);
    }
  }

  private final Attention attention;
  private final Device device;
  private final DType dtype;
  private final int threads;
  private final PrintStream text;
  private final PrintStream warnings;

  /**
   * A run.
   *
   * @param device where it runs
   * @param dtype type to convert query, key, value and dout to; null: each that of its file
   * @param text where lines for people go
   * @param warnings where warnings go
   */
  public Attend(
      Attention attention,
      Device device,
      DType dtype,
      int threads,
      PrintStream text,
      PrintStream warnings) {
    this.attention = attention;
    this.device = device;
    this.dtype = dtype;
    this.threads = threads;
    this.text = text;
    this.warnings = warnings;
  }

  /**
   * Runs it. Results are written when all of them are there, and what is said of them is said then.
   *
   * @param operation its name, for the document
   * @param gradients null: no backward pass
   * @return what was computed
   * @throws IllegalArgumentException if the files do not go together
   * @throws IOException if one cannot be read or written; then none is written
   */
  public JsonObject run(String operation, Inputs inputs, Results results, Gradients gradients)
      throws IOException {
    try (CommandFiles files = new CommandFiles();
        Scope scope = Scope.open(device);
        Scope host = Scope.open();
        Arena mappings = Arena.ofShared()) {
      name(files, inputs, results, gradients);
      MemoryNeed memory = new MemoryNeed();
      NpyTensors tensors = new NpyTensors(scope, mappings, memory);
      Operands operands = Operands.read(tensors, inputs, dtype);
      Wording wording = inputs.wording();
      Forward forward = Forward.of(operands, results, gradients != null, scope, memory);
      AttentionCall call =
          wording.say(
              () ->
                  forward
                      .of(operands.call(attention))
                      .dropoutSeed(inputs.dropoutSeed(), inputs.dropoutOffset())
                      .parallelism(threads));
      String kernel = wording.say(() -> call.plan().kernel());
      Backward backward = null;
      if (gradients != null) {
        Tensor dout = tensors.floats("--dout", gradients.dout(), dtype);
        wording.with("--dout", gradients.dout());
        backward = new Backward(gradients, operands, scope, memory);
        backward.plan(call, dout, wording);
      }

      double milliseconds = milliseconds(() -> wording.say(call::run));
      JsonObject document = new JsonObject();
      document.addProperty("op", operation);
      document.addProperty("device", device.name());
      document.addProperty("kernel", kernel);
      document.addProperty("dtype", NpyTensors.text(operands.query().dtype()));
      document.addProperty("firstRunMilliseconds", milliseconds);
      ResultFiles written = new ResultFiles(files, host);
      written.write(document, "out", forward.out(), results.out());
      written.write(document, "lse", forward.lse(), results.lse());
      written.write(document, "weights", forward.weights(), results.weights());
      if (backward != null) {
        document.add("backward", backward.run(wording, written));
      }
      files.commit();

      text.printf(
          Locale.ROOT,
          "%s on %s by %s: out %s -> %s (first run, %.1f ms)%n",
          operation,
          device.name(),
          kernel,
          NpyTensors.text(forward.out()),
          results.out(),
          milliseconds);
      if (backward != null) {
        backward.print(text);
      }
      written.warnings().forEach(warnings::println);
      return document;
    }
  }

  /** Inputs before what is written: that must not be one of them. */
  private static void name(CommandFiles files, Inputs inputs, Results results, Gradients gradients)
      throws IOException {
    inputs.name(files);
    if (gradients != null) {
      files.reads("--dout", gradients.dout());
    }
    results.name(files);
    if (gradients != null) {
      gradients.name(files);
    }
  }

  /** Results of the forward pass; those that nobody wants are null. */
  private record Forward(Tensor out, Tensor lse, Tensor weights) {

    static Forward of(
        Operands operands, Results results, boolean backward, Scope scope, MemoryNeed memory) {
      Tensor query = operands.query();
      long batch = query.size(0);
      long rows = query.size(1);
      long heads = query.size(2);
      long[] out = {batch, rows, heads, operands.value().size(3)};
      long[] lse = {batch, heads, rows};
      long[] weights = {batch, heads, rows, operands.key().size(1)};
      boolean wantsLse = results.lse() != null || backward;
      return new Forward(
          allocate(scope, memory, "--out", query.dtype(), out),
          wantsLse ? allocate(scope, memory, "--lse", DType.FLOAT32, lse) : null,
          results.weights() != null
              ? allocate(scope, memory, "--weights", DType.FLOAT32, weights)
              : null);
    }

    AttentionCall of(AttentionCall call) {
      call.out(out);
      if (lse != null) {
        call.lse(lse);
      }
      if (weights != null) {
        call.weights(weights);
      }
      return call;
    }
  }

  /** A tensor for a result that an option names, if the machine has room for it. */
  static Tensor allocate(Scope scope, MemoryNeed memory, String option, DType type, long... shape) {
    memory.add(option, type, shape);
    return scope.allocate(type, shape);
  }

  static double milliseconds(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) * 1e-6;
  }
}
