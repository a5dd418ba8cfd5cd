package dev.fovea.cli.attend;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.npy.Npy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes tensors to the files of a command. */
final class ResultFiles {

  private final CommandFiles files;
  private final Scope host;
  private final List<String> warnings = new ArrayList<>();

  /**
   * A writer.
   *
   * @param host owns copies of what cannot be written as it is
   */
  ResultFiles(CommandFiles files, Scope host) {
    this.files = files;
    this.host = host;
  }

  /** Writes a result and adds it to the document. */
  void write(JsonObject document, String name, Tensor tensor, Path file) throws IOException {
    Npy array = NpyTensors.array(tensor, host);
    files.write(file, array::writeTo);
    String warning = Overflow.warning(name, array);
    if (warning != null) {
      warnings.add(warning);
    }
    JsonArray shape = new JsonArray();
    for (long size : tensor.shape()) {
      shape.add(size);
    }
    JsonObject written = new JsonObject();
    written.addProperty("file", file.toString());
    written.add("shape", shape);
    document.add(name, written);
  }

  /** What is to be said about the results so far. */
  List<String> warnings() {
    return warnings;
  }
}
