package dev.fovea.nn.train;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Where the numbers of a run go: lines of JSON, and events of TensorBoard. */
final class MetricFiles implements AutoCloseable {
  private final OutputStream lines; // null: none
  private final EventFile events; // null: none

  /** Null for no such file. */
  MetricFiles(Path lines, Path folder) throws IOException {
    events = folder == null ? null : new EventFile(folder);
    this.lines =
        lines == null
            ? null
            : Files.newOutputStream(lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  /** What is no finite number is null in JSON. */
  void write(int step, Map<String, Double> metrics) throws IOException {
    if (lines != null) {
      JsonObject line = new JsonObject();
      line.addProperty("step", step);
      metrics.forEach(
          (name, value) -> line.addProperty(name, Double.isFinite(value) ? value : null));
      lines.write(
          (line + "\n").getBytes(StandardCharsets.UTF_8)); // at once, so that no line is torn
    }
    if (events != null) {
      for (Map.Entry<String, Double> each : metrics.entrySet()) {
        events.scalar(each.getKey(), step, each.getValue());
      }
    }
  }

  @Override
  public void close() throws IOException {
    try {
      if (lines != null) {
        lines.close();
      }
    } finally {
      if (events != null) {
        events.close();
      }
    }
  }
}
