package dev.fovea.cli.attend;

import com.google.gson.JsonObject;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.attend.Attend.Gradients;
import dev.fovea.cli.memory.MemoryNeed;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The backward pass of one run on files. */
final class Backward {

  /** A gradient that an option may ask for. */
  private record Gradient(String name, Tensor tensor, Path file) {}

  private final boolean deterministic;
  private final Tensor dquery;
  private final Tensor dkey;
  private final Tensor dvalue;
  private final Tensor dbias;
  private final Tensor dalibiSlopes;
  private final Tensor dsinks;
  private final List<Gradient> gradients = new ArrayList<>();
  private AttentionBackward backward;
  private double milliseconds;

  /**
   * A backward pass.
   *
   * @param operands of the forward pass
   * @param scope owns the gradients
   */
  Backward(Gradients wanted, Operands operands, Scope scope, MemoryNeed memory) {
    deterministic = wanted.deterministic();
    DType dtype = operands.query().dtype();
    dquery = like(operands.query(), dtype, "--dquery", scope, memory);
    dkey = like(operands.key(), dtype, "--dkey", scope, memory);
    dvalue = like(operands.value(), dtype, "--dvalue", scope, memory);
    dbias = wanted.dbias() == null ? null : float32(operands.bias(), "--dbias", scope, memory);
    dalibiSlopes =
        wanted.dalibiSlopes() == null
            ? null
            : float32(operands.alibiSlopes(), "--dalibi-slopes", scope, memory);
    dsinks = wanted.dsinks() == null ? null : float32(operands.sinks(), "--dsinks", scope, memory);
    add("dquery", dquery, wanted.dquery());
    add("dkey", dkey, wanted.dkey());
    add("dvalue", dvalue, wanted.dvalue());
    add("dbias", dbias, wanted.dbias());
    add("dalibiSlopes", dalibiSlopes, wanted.dalibiSlopes());
    add("dsinks", dsinks, wanted.dsinks());
  }

  private static Tensor float32(Tensor tensor, String option, Scope scope, MemoryNeed memory) {
    return like(tensor, DType.FLOAT32, option, scope, memory);
  }

  private static Tensor like(
      Tensor tensor, DType type, String option, Scope scope, MemoryNeed memory) {
    return Attend.allocate(scope, memory, option, type, tensor.shape());
  }

  private void add(String name, Tensor tensor, Path file) {
    if (file != null) {
      gradients.add(new Gradient(name, tensor, file));
    }
  }

  /**
   * Checks and plans it.
   *
   * @param call the forward pass
   * @param dout the gradient of out
   */
  void plan(AttentionCall call, Tensor dout, Wording wording) {
    backward =
        wording.say(
            () ->
                call.gradients(dout)
                    .dquery(dquery)
                    .dkey(dkey)
                    .dvalue(dvalue)
                    .dbias(dbias)
                    .dalibiSlopes(dalibiSlopes)
                    .dsinks(dsinks)
                    .deterministic(deterministic));
    wording.say(backward::plan);
  }

  /** Runs after the forward pass, and writes the gradients that are wanted. */
  JsonObject run(Wording wording, ResultFiles files) throws IOException {
    milliseconds = Attend.milliseconds(() -> wording.say(backward::run));
    JsonObject document = new JsonObject();
    document.addProperty("kernel", backward.plan().kernel());
    document.addProperty("firstRunMilliseconds", milliseconds);
    for (Gradient gradient : gradients) {
      files.write(document, gradient.name(), gradient.tensor(), gradient.file());
    }
    return document;
  }

  /** Says what it did. */
  void print(PrintStream text) {
    text.printf(
        Locale.ROOT,
        "its backward pass by %s (first run, %.1f ms)%n",
        backward.plan().kernel(),
        milliseconds);
    for (Gradient gradient : gradients) {
      text.printf(
          "  %s %s -> %s%n", gradient.name(), NpyTensors.text(gradient.tensor()), gradient.file());
    }
  }
}
