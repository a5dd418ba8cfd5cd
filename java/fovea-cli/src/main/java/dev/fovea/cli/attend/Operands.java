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
        rows("--query", inputs.query(), files, dtype),
        rows("--key", inputs.key(), files, dtype),
        rows("--value", inputs.value(), files, dtype),
        floats(files, "--bias", inputs.bias(), null),
        floats(files, "--alibi-slopes", inputs.alibiSlopes(), DType.FLOAT32),
        floats(files, "--sinks", inputs.sinks(), DType.FLOAT32),
        lengths(files, "--query-lengths", inputs.queryLengths()),
        lengths(files, "--key-lengths", inputs.keyLengths()));
  }

  private static Tensor floats(NpyTensors files, String option, Path file, DType dtype)
      throws IOException {
    return file == null ? null : files.floats(option, file, dtype);
  }

  private static Tensor lengths(NpyTensors files, String option, Path file) throws IOException {
    return file == null ? null : files.lengths(option, file);
  }

  /** Checks what results are shaped after; the call checks all the rest. */
  private static Tensor rows(String option, Path file, NpyTensors files, DType dtype)
      throws IOException {
    Tensor tensor = files.floats(option, file, dtype);
    if (tensor.rank() != 4 || tensor.size(3) == 0) {
      throw new IllegalArgumentException(
          ("%s %s has shape %s, expected four dimensions [batch, sequence, head, width], the last"
                  + " of 1 or more")
              .formatted(option, file, NpyTensors.text(tensor)));
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
