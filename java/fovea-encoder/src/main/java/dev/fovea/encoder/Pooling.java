package dev.fovea.encoder;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * How the rows of a sentence become its embedding (Reimers and Gurevych, Sentence-BERT, arXiv
 * 1908.10084, section 3).
 *
 * @param isMean the mean of all rows; else the row of the first token, [CLS]
 * @param isNormalized whether it is scaled to length 1
 */
record Pooling(boolean isMean, boolean isNormalized) {
  /** What models without a word on it are used with. */
  static final Pooling DEFAULT = new Pooling(true, true);

  /** As torch's normalize has it: a vector of zeros stays one. */
  private static final double SHORTEST = 1e-12;

  /**
   * As sentence-transformers' modules.json and the configs that it names have it, in the folder of
   * a model.
   *
   * @throws IOException if they are of another pooling, or have modules of other kinds
   */
  static Pooling of(Path folder) throws IOException {
    Path modules = folder.resolve("modules.json");
    if (!Files.exists(modules)) {
      Path pooling = folder.resolve("1_Pooling");
      return Files.exists(pooling.resolve("config.json")) ? of(pooling, true) : DEFAULT;
    }
    JsonFile file = JsonFile.read(modules);
    if (!file.root().isJsonArray()) {
      throw new IOException(modules + " is no JSON array");
    }
    Pooling pooling = DEFAULT;
    boolean normalized = false;
    for (JsonElement each : file.root().getAsJsonArray()) {
      JsonFile module = new JsonFile(modules, each);
      String type = module.text("type", "");
      switch (type.substring(type.lastIndexOf('.') + 1)) {
        case "Transformer" -> {}
        case "Pooling" -> pooling = of(folder.resolve(module.text("path", "")), false);
        case "Normalize" -> normalized = true;
        default ->
            throw new IOException(
                "%s has a module of type %s, expected Transformer, Pooling or Normalize"
                    .formatted(modules, type));
      }
    }
    return new Pooling(pooling.isMean, normalized);
  }

  private static Pooling of(Path folder, boolean isNormalized) throws IOException {
    JsonFile file = JsonFile.read(folder.resolve("config.json"));
    JsonObject json = file.object();
    String mode = file.text("pooling_mode", null);
    if (mode == null) {
      for (Map.Entry<String, JsonElement> each : json.entrySet()) {
        String name = each.getKey();
        if (name.startsWith("pooling_mode_") && file.isTrue(name)) {
          String one = name.substring("pooling_mode_".length());
          mode = mode == null ? one : mode + " and " + one;
        }
      }
    }
    return switch (String.valueOf(mode)) {
      case "mean", "mean_tokens" -> new Pooling(true, isNormalized);
      case "cls", "cls_token" -> new Pooling(false, isNormalized);
      default ->
          throw new IOException(
              "%s has pooling of %s, expected mean_tokens or cls_token alone"
                  .formatted(file.path(), mode));
    };
  }

  /** The embedding of rows {@code from} to {@code to - 1}, which lie one behind the other. */
  float[] pool(RowReader rows, int from, int to, int width) {
    float[] pooled = new float[width];
    if (isMean) {
      float[] row = new float[width];
      for (int r = from; r < to; r++) {
        rows.read(r, row);
        add(pooled, row);
      }
      scale(pooled, 1f / (to - from));
    } else {
      rows.read(from, pooled);
    }
    if (isNormalized) {
      double squares = 0;
      for (float v : pooled) {
        squares += (double) v * v;
      }
      scale(pooled, (float) (1 / Math.max(Math.sqrt(squares), SHORTEST)));
    }
    return pooled;
  }

  /** Gives a row. */
  interface RowReader {
    void read(int row, float[] to);
  }

  private static void add(float[] x, float[] y) {
    for (int i = 0; i < x.length; i++) {
      x[i] += y[i];
    }
  }

  private static void scale(float[] x, float by) {
    for (int i = 0; i < x.length; i++) {
      x[i] *= by;
    }
  }
}
