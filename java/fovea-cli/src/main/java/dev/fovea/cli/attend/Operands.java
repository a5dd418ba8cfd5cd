package dev.fovea.cli.attend;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.cli.attend.Attend.Inputs;
import java.io.IOException;
import java.nio.file.Path;

/** What was read of {@link Inputs}; absent operands are null. */
record Operands(
    Tensor query,
    Tensor key,
    Tensor value,
    Tensor bias,
    Tensor alibiSlopes,
    Tensor sinks,
    Tensor queryLengths,
    Tensor keyLengths) {

  /**
   * Reads them.
   *
   * @param dtype type to convert query, key and value to; null: each that of its file
   */
  static Operands read(NpyTensors files, Inputs inputs, DType dtype) throws IOException {
    return new Operands(
        rank4("query", files.floats("query", inputs.query(), dtype)),
        rank4("key", files.floats("key", inputs.key(), dtype)),
        rank4("value", files.floats("value", inputs.value(), dtype)),
        floats(files, "bias", inputs.bias(), null),
        floats(files, "alibi-slopes", inputs.alibiSlopes(), DType.FLOAT32),
        floats(files, "sinks", inputs.sinks(), DType.FLOAT32),
        lengths(files, "query-lengths", inputs.queryLengths()),
        lengths(files, "key-lengths", inputs.keyLengths()));
  }

  private static Tensor floats(NpyTensors files, String name, Path file, DType dtype)
      throws IOException {
    return file == null ? null : files.floats(name, file, dtype);
  }

  private static Tensor lengths(NpyTensors files, String name, Path file) throws IOException {
    return file == null ? null : files.lengths(name, file);
  }

  /** Before results are shaped after them; the call checks all the rest. */
  private static Tensor rank4(String name, Tensor tensor) {
    if (tensor.rank() != 4) {
      throw new IllegalArgumentException(
          "%s has shape %s, expected four dimensions [batch, sequence, head, width]"
              .formatted(name, NpyTensors.text(tensor)));
    }
    return tensor;
  }

  AttentionCall call(Attention attention) {
    return attention
        .call(query, key, value)
        .bias(bias)
        .alibiSlopes(alibiSlopes)
        .sinks(sinks)
        .queryLengths(queryLengths)
        .keyLengths(keyLengths);
  }
}
