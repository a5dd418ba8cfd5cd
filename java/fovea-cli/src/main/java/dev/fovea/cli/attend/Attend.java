package dev.fovea.cli.attend;

import com.google.gson.JsonObject;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.memory.MemoryNeed;
import dev.fovea.ffi.Operand;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** One run of an operation on files. */
public final class Attend {

  private static final String[] OPTIONS = {
    "--causal",
    "--scale",
    "--softcap",
    "--gaussian-sigma",
    "--span-ramp",
    "--position-origin",
    "--block-size",
    "--image-window",
    "--dropout",
    "--beta1",
    "--beta2",
    "--epsilon",
    "--weight-decay",
    "--padding",
    "--label-smoothing"
  };

  private final Mechanism mechanism;
  private final Settings settings;
  private final Binding binding;
  private final Device device;
  private final DType dtype;
  private final PrintStream text;
  private final PrintStream warnings;

  /**
   * A run.
   *
   * @param device where it runs
   * @param dtype type to convert operands that share one to; null: each that of its file
   * @param text where lines for people go
   * @param warnings where warnings go
   * @throws IllegalArgumentException if a number is out of its range
   */
  public Attend(
      Mechanism mechanism,
      Settings settings,
      Device device,
      DType dtype,
      PrintStream text,
      PrintStream warnings) {
    this.mechanism = mechanism;
    this.settings = settings;
    binding = new Wording().with(OPTIONS).say(() -> mechanism.bind(settings));
    this.device = device;
    this.dtype = dtype;
    this.text = text;
    this.warnings = warnings;
  }

  /**
   * Runs it. Results are written when all of them are there, and what is said of them is said then.
   *
   * @param files by the names of operands: all that the operation must have; those of gradients ask
   *     for a backward pass
   * @return what was computed
   * @throws IllegalArgumentException if the files do not go together
   * @throws IOException if one cannot be read or written; then none is written
   */
  public JsonObject run(Map<String, Path> files) throws IOException {
    try (CommandFiles named = new CommandFiles();
        Scope scope = Scope.open(device);
        Scope host = Scope.open();
        Arena mappings = Arena.ofShared()) {
      MemoryNeed memory = new MemoryNeed();
      NpyTensors reader = new NpyTensors(scope, mappings, memory);
      Operands operands = new Operands(mechanism, files, reader, dtype, scope, memory);
      operands.size("K", settings.topCount());
      name(named, operands);
      Wording wording = operands.wording().with(OPTIONS);
      boolean trains = select(true, true).stream().anyMatch(it -> operands.file(it) != null);
      Pass forward = forward(operands, trains, wording);
      Pass backward = trains ? backward(operands, wording) : null;

      JsonObject document = new JsonObject();
      document.addProperty("op", mechanism.toString());
      document.addProperty("device", device.name());
      document.addProperty("dtype", NpyTensors.text(operands.dtype()));
      ResultFiles written = new ResultFiles(named, host);
      forward.run(document, written);
      if (backward != null) {
        JsonObject gradients = new JsonObject();
        backward.run(gradients, written);
        document.add("backward", gradients);
      }
      named.commit();

      text.printf("%s on %s ", mechanism, device.name());
      forward.print(text);
      if (backward != null) {
        text.print("its backward pass ");
        backward.print(text);
      }
      written.warnings().forEach(warnings::println);
      return document;
    }
  }

  /** Operands of the forward pass, or those that only a backward pass has. */
  private List<Operand> select(boolean gradients, boolean written) {
    return mechanism.operands().stream()
        .filter(it -> mechanism.isGradient(it) == gradients && it.written() == written)
        .toList();
  }

  /** Inputs before what is written: that must not be one of them. */
  private void name(CommandFiles named, Operands operands) throws IOException {
    for (Operand it : mechanism.operands()) {
      if (Mechanism.isRead(it)) {
        named.reads(Mechanism.option(it.name()), operands.file(it));
      }
    }
    for (Operand it : mechanism.operands()) {
      if (it.written()) {
        named.writes(Mechanism.option(Mechanism.result(it)), operands.result(it));
      }
    }
  }

  private Pass forward(Operands operands, boolean trains, Wording wording) throws IOException {
    for (Operand it : select(false, false)) {
      operands.read(it);
    }
    for (Operand it : select(false, true)) {
      if (it.inPlace()) {
        operands.read(it);
        continue;
      }
      boolean saved = trains && (mechanism.isSaved(it) || binding.saves(it.name(), operands));
      if (it.present() == null || saved || operands.file(it) != null) {
        operands.allocate(it);
      }
    }
    Binding.Work work = wording.say(() -> binding.forward(operands, settings));
    return new Pass(work.kernel(), () -> wording.say(work.run()), operands, select(false, true));
  }

  private Pass backward(Operands operands, Wording wording) throws IOException {
    for (Operand it : select(true, false)) {
      operands.read(it);
    }
    for (Operand it : select(true, true)) {
      if (it.present() == null || operands.file(it) != null) {
        operands.allocate(it);
      }
    }
    Binding.Work work = wording.say(() -> binding.backward(operands, settings));
    return new Pass(work.kernel(), () -> wording.say(work.run()), operands, select(true, true));
  }
}
