package dev.fovea.cli.attend;

import com.google.gson.JsonObject;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.attend.Attend.Gradients;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Locale;

/** The backward pass of one run on files. */
final class Backward {

  private final Gradients wanted;
  private final AttentionBackward backward;
  private final Tensor dquery;
  private final Tensor dkey;
  private final Tensor dvalue;
  private final Tensor dbias;
  private final Tensor dalibiSlopes;
  private final Tensor dsinks;

  /**
   * A backward pass that is checked and planned.
   *
   * @param operands of {@code call}
   * @param dout the gradient of out
   * @param scope owns the gradients
   */
  Backward(Gradients wanted, AttentionCall call, Operands operands, Tensor dout, Scope scope) {
    this.wanted = wanted;
    DType dtype = operands.query().dtype();
    dquery = scope.allocate(dtype, operands.query().shape());
    dkey = scope.allocate(dtype, operands.key().shape());
    dvalue = scope.allocate(dtype, operands.value().shape());
    dbias = wanted.dbias() == null ? null : float32(scope, operands.bias());
    dalibiSlopes = wanted.dalibiSlopes() == null ? null : float32(scope, operands.alibiSlopes());
    dsinks = wanted.dsinks() == null ? null : float32(scope, operands.sinks());
    backward =
        call.backward(dout)
            .dquery(dquery)
            .dkey(dkey)
            .dvalue(dvalue)
            .dbias(dbias)
            .dalibiSlopes(dalibiSlopes)
            .dsinks(dsinks)
            .deterministic(wanted.deterministic());
    backward.plan();
  }

  private static Tensor float32(Scope scope, Tensor like) {
    return scope.allocate(DType.FLOAT32, like.shape());
  }

  /** Runs after the forward pass, writes the gradients that are wanted, and says what it did. */
  JsonObject run(PrintStream text) throws IOException {
    String kernel = backward.plan().kernel();
    double milliseconds = Attend.milliseconds(backward::run);
    JsonObject document = new JsonObject();
    document.addProperty("kernel", kernel);
    document.addProperty("firstRunMilliseconds", milliseconds);
    text.printf(
        Locale.ROOT, "its backward pass by %s (first run, %.1f ms)%n", kernel, milliseconds);
    write(document, text, "dquery", dquery, wanted.dquery());
    write(document, text, "dkey", dkey, wanted.dkey());
    write(document, text, "dvalue", dvalue, wanted.dvalue());
    write(document, text, "dbias", dbias, wanted.dbias());
    write(document, text, "dalibiSlopes", dalibiSlopes, wanted.dalibiSlopes());
    write(document, text, "dsinks", dsinks, wanted.dsinks());
    return document;
  }

  private static void write(
      JsonObject document, PrintStream text, String name, Tensor tensor, Path file)
      throws IOException {
    if (file != null) {
      Attend.write(document, name, tensor, file);
      text.printf("  %s %s -> %s%n", name, NpyTensors.text(tensor), file);
    }
  }
}
