package dev.fovea.encoder;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.train.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** A small BERT with random weights: its files, and what it computes, in float64. */
final class TinyBert {
  static final List<String> VOCABULARY =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sleep", "##s", "the", "now");
  static final int WIDTH = 24;
  static final int HEADS = 3;
  static final int FEED_FORWARD = 40;
  static final int LAYERS = 2;
  static final int POSITIONS = 12;
  static final double EPSILON = 1e-3; // large, so that it shows

  /** Values by Hugging Face's names. */
  final Map<String, float[]> weights = new LinkedHashMap<>();

  private final Map<String, int[]> shapes = new LinkedHashMap<>();

  /** Between the feed-forward layers. */
  DoubleUnaryOperator activation = x -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));

  TinyBert(long seed) {
    Random random = new Random(seed);
    add(random, "embeddings.word_embeddings.weight", VOCABULARY.size(), WIDTH);
    add(random, "embeddings.position_embeddings.weight", POSITIONS, WIDTH);
    add(random, "embeddings.token_type_embeddings.weight", 2, WIDTH);
    addNorm(random, "embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      String layer = "encoder.layer." + i + ".";
      for (String part : List.of("self.query", "self.key", "self.value", "output.dense")) {
        addLinear(random, layer + "attention." + part, WIDTH, WIDTH);
      }
      addNorm(random, layer + "attention.output.LayerNorm");
      addLinear(random, layer + "intermediate.dense", FEED_FORWARD, WIDTH);
      addLinear(random, layer + "output.dense", WIDTH, FEED_FORWARD);
      addNorm(random, layer + "output.LayerNorm");
    }
    add(random, "pooler.dense.weight", WIDTH, WIDTH); // which is not used
  }

  private void addLinear(Random random, String name, int out, int in) {
    add(random, name + ".weight", out, in);
    add(random, name + ".bias", out);
  }

  private void addNorm(Random random, String name) {
    add(random, name + ".weight", WIDTH);
    add(random, name + ".bias", WIDTH);
  }

  private void add(Random random, String name, int... shape) {
    float[] values = new float[Arrays.stream(shape).reduce(1, (x, y) -> x * y)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.6 * random.nextGaussian());
    }
    weights.put(name, values);
    shapes.put(name, shape);
  }

  int[] shape(String name) {
    return shapes.get(name);
  }

  // ---- files

  /** Writes config.json, tokenizer.json and model.safetensors. */
  TinyBert write(Path folder) throws IOException {
    return write(folder, DType.FLOAT32, "");
  }

  /** The weights become what {@code dtype} holds of them. */
  TinyBert write(Path folder, DType dtype, String prefix) throws IOException {
    Files.writeString(folder.resolve("config.json"), config());
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (Map.Entry<String, float[]> each : weights.entrySet()) {
        long[] shape = Arrays.stream(shape(each.getKey())).asLongStream().toArray();
        Tensor tensor = scope.copyOf(each.getValue(), dtype, shape);
        each.setValue(tensor.toFloatArray());
        tensors.put(prefix + each.getKey(), tensor);
      }
      Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
    }
    return this;
  }

  static String config() {
    return """
    {"model_type": "bert", "hidden_size": %d, "num_hidden_layers": %d,
     "num_attention_heads": %d, "intermediate_size": %d, "hidden_act": "gelu",
     "max_position_embeddings": %d, "vocab_size": %d, "type_vocab_size": 2,
     "layer_norm_eps": %s, "position_embedding_type": "absolute"}
    """
        .formatted(WIDTH, LAYERS, HEADS, FEED_FORWARD, POSITIONS, VOCABULARY.size(), EPSILON);
  }

  static String tokenizer() {
    StringBuilder vocabulary = new StringBuilder();
    for (int i = 0; i < VOCABULARY.size(); i++) {
      vocabulary.append(i == 0 ? "" : ", ");
      vocabulary.append("\"%s\": %d".formatted(VOCABULARY.get(i), i));
    }
    return """
    {"version": "1.0", "truncation": null, "padding": null,
     "added_tokens": [],
     "normalizer": {"type": "BertNormalizer", "clean_text": true,
       "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
     "pre_tokenizer": {"type": "BertPreTokenizer"},
     "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
     "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
     "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
       "max_input_chars_per_word": 100, "vocab": {%s}}}
    """
        .formatted(vocabulary);
  }

  // ---- what it computes

  /** The rows behind the last layer. */
  double[][] rows(int[] ids) {
    double[][] rows = embedded(ids);
    for (int i = 0; i < LAYERS; i++) {
      rows = layer(rows, i);
    }
    return rows;
  }

  /** [heads][tokens][tokens] of a layer. */
  double[][][] attention(int[] ids, int layer) {
    double[][] rows = embedded(ids);
    for (int i = 0; i < layer; i++) {
      rows = layer(rows, i);
    }
    String self = "encoder.layer." + layer + ".attention.self.";
    return attention(linear(rows, self + "query"), linear(rows, self + "key"));
  }

  static double[] mean(double[][] rows) {
    double[] mean = new double[rows[0].length];
    for (double[] row : rows) {
      for (int d = 0; d < mean.length; d++) {
        mean[d] += row[d] / rows.length;
      }
    }
    return mean;
  }

  static double[] normalized(double[] x) {
    double length = Math.sqrt(Arrays.stream(x).map(it -> it * it).sum());
    return Arrays.stream(x).map(it -> it / length).toArray();
  }

  private double[][] embedded(int[] ids) {
    float[] words = weights.get("embeddings.word_embeddings.weight");
    float[] positions = weights.get("embeddings.position_embeddings.weight");
    float[] types = weights.get("embeddings.token_type_embeddings.weight");
    double[][] rows = new double[ids.length][WIDTH];
    for (int i = 0; i < ids.length; i++) {
      for (int d = 0; d < WIDTH; d++) {
        rows[i][d] = (double) words[ids[i] * WIDTH + d] + positions[i * WIDTH + d] + types[d];
      }
    }
    return norm(rows, "embeddings.LayerNorm");
  }

  private double[][] layer(double[][] x, int index) {
    String name = "encoder.layer." + index + ".";
    String self = name + "attention.self.";
    double[][][] attention = attention(linear(x, self + "query"), linear(x, self + "key"));
    double[][] values = linear(x, self + "value");
    double[][] context = new double[x.length][WIDTH];
    int headDim = WIDTH / HEADS;
    for (int i = 0; i < x.length; i++) {
      for (int d = 0; d < WIDTH; d++) {
        for (int j = 0; j < x.length; j++) {
          context[i][d] += attention[d / headDim][i][j] * values[j][d];
        }
      }
    }
    double[][] attended =
        norm(
            add(x, linear(context, name + "attention.output.dense")),
            name + "attention.output.LayerNorm");
    double[][] inner = linear(attended, name + "intermediate.dense");
    for (double[] row : inner) {
      Arrays.setAll(row, d -> activation.applyAsDouble(row[d]));
    }
    return norm(add(attended, linear(inner, name + "output.dense")), name + "output.LayerNorm");
  }

  private static double[][][] attention(double[][] queries, double[][] keys) {
    int headDim = WIDTH / HEADS;
    double[][][] weights = new double[HEADS][queries.length][keys.length];
    for (int h = 0; h < HEADS; h++) {
      for (int i = 0; i < queries.length; i++) {
        double sum = 0;
        for (int j = 0; j < keys.length; j++) {
          double score = 0;
          for (int d = h * headDim; d < (h + 1) * headDim; d++) {
            score += queries[i][d] * keys[j][d];
          }
          weights[h][i][j] = Math.exp(score / Math.sqrt(headDim));
          sum += weights[h][i][j];
        }
        for (int j = 0; j < keys.length; j++) {
          weights[h][i][j] /= sum;
        }
      }
    }
    return weights;
  }

  private double[][] linear(double[][] x, String name) {
    float[] weight = weights.get(name + ".weight");
    float[] bias = weights.get(name + ".bias");
    double[][] y = new double[x.length][bias.length];
    for (int i = 0; i < x.length; i++) {
      for (int o = 0; o < bias.length; o++) {
        y[i][o] = bias[o];
        for (int d = 0; d < x[i].length; d++) {
          y[i][o] += x[i][d] * weight[o * x[i].length + d];
        }
      }
    }
    return y;
  }

  private double[][] norm(double[][] x, String name) {
    float[] gain = weights.get(name + ".weight");
    float[] shift = weights.get(name + ".bias");
    double[][] y = new double[x.length][];
    for (int i = 0; i < x.length; i++) {
      double[] row = x[i];
      double mean = Arrays.stream(row).average().orElseThrow();
      double variance =
          Arrays.stream(row).map(it -> (it - mean) * (it - mean)).average().orElseThrow();
      y[i] = new double[row.length];
      Arrays.setAll(
          y[i], d -> (row[d] - mean) / Math.sqrt(variance + EPSILON) * gain[d] + shift[d]);
    }
    return y;
  }

  private static double[][] add(double[][] x, double[][] y) {
    double[][] sum = new double[x.length][x[0].length];
    for (int i = 0; i < x.length; i++) {
      for (int d = 0; d < sum[i].length; d++) {
        sum[i][d] = x[i][d] + y[i][d];
      }
    }
    return sum;
  }

  /** By its Taylor series, whose terms all have one sign once exp(-x^2) is taken out. */
  private static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; n < 200; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }
}
