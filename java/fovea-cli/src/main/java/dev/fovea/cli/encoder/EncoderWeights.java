package dev.fovea.cli.encoder;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of all-MiniLM-L6-v2, laid out for the encoder: off-heap, matrices transposed to [out
 * x in] (OpenBLAS packs that order faster), query, key and value side by side in one matrix.
 */
final class EncoderWeights {

  static final int LAYERS = 6;
  static final int HIDDEN = 384;
  static final int HEADS = 12;
  static final int HEAD_DIM = HIDDEN / HEADS;
  static final int FEED_FORWARD = 1536;
  static final int VOCABULARY = 30522;
  static final int MAX_TOKENS = 512;

  /** The parameters of a layer norm. */
  record Norm(float[] gain, float[] shift) {}

  /**
   * The weights of a linear layer: [outputs x inputs], a row {@code stride} elements after the one
   * before.
   */
  record Matrix(MemorySegment data, int outputs, int inputs, int stride) {

    /** The rows of some of the outputs. */
    Matrix outputRange(int from, int to) {
      long offset = (long) from * stride * Float.BYTES;
      return new Matrix(data.asSlice(offset), to - from, inputs, stride);
    }

    /** The columns of some of the inputs. */
    Matrix inputRange(int from, int to) {
      return new Matrix(data.asSlice((long) from * Float.BYTES), outputs, to - from, stride);
    }
  }

  /** A linear layer. */
  record Linear(Matrix weights, float[] bias) {}

  /** One layer; {@code qkv} maps to query, key and value, one after the other. */
  record Layer(
      Linear qkv,
      Linear attentionOutput,
      Norm attentionNorm,
      Linear up,
      Linear down,
      Norm outputNorm) {}

  private final OnnxModel model;
  private final Scope scope;

  /** [vocabulary x hidden] */
  final MemorySegment words;

  /** [positions x hidden], with the embedding of token type 0 (the only one in use) added */
  final MemorySegment positions;

  final Norm embeddingNorm;
  final List<Layer> layers = new ArrayList<>();

  /**
   * Reads and lays out the weights in {@code model}.
   *
   * @param scope owns the memory
   * @throws IOException if the model is not a MiniLM of these sizes
   */
  EncoderWeights(OnnxModel model, Scope scope) throws IOException {
    this.model = model;
    this.scope = scope;
    words = allocate(VOCABULARY, HIDDEN);
    put(words, 0, floats("embeddings.word_embeddings.weight", VOCABULARY, HIDDEN));
    positions = allocate(MAX_TOKENS, HIDDEN);
    float[] table = floats("embeddings.position_embeddings.weight", MAX_TOKENS, HIDDEN);
    float[] types = floats("embeddings.token_type_embeddings.weight", 2, HIDDEN);
    for (int i = 0; i < table.length; i++) {
      table[i] += types[i % HIDDEN];
    }
    put(positions, 0, table);
    embeddingNorm = norm("embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      layers.add(layer(i));
    }
  }

  private Layer layer(int index) throws IOException {
    String node = "/encoder/layer." + index;
    String name = "encoder.layer." + index;
    MemorySegment qkv = allocate(3 * HIDDEN, HIDDEN);
    float[] qkvBias = new float[3 * HIDDEN];
    String[] parts = {"query", "key", "value"};
    for (int p = 0; p < parts.length; p++) {
      String self = "/attention/self/" + parts[p];
      transpose(node + self + "/MatMul", qkv, p * HIDDEN, HIDDEN, HIDDEN);
      float[] bias = floats(name + self.replace('/', '.') + ".bias", HIDDEN);
      System.arraycopy(bias, 0, qkvBias, p * HIDDEN, HIDDEN);
    }
    return new Layer(
        new Linear(new Matrix(qkv, 3 * HIDDEN, HIDDEN, HIDDEN), qkvBias),
        linear(node + "/attention/output/dense", name + ".attention.output.dense", HIDDEN, HIDDEN),
        norm(name + ".attention.output.LayerNorm"),
        linear(node + "/intermediate/dense", name + ".intermediate.dense", HIDDEN, FEED_FORWARD),
        linear(node + "/output/dense", name + ".output.dense", FEED_FORWARD, HIDDEN),
        norm(name + ".output.LayerNorm"));
  }

  private Linear linear(String node, String name, int in, int out) throws IOException {
    MemorySegment weight = allocate(out, in);
    transpose(node + "/MatMul", weight, 0, in, out);
    return new Linear(new Matrix(weight, out, in, in), floats(name + ".bias", out));
  }

  private Norm norm(String name) throws IOException {
    return new Norm(floats(name + ".weight", HIDDEN), floats(name + ".bias", HIDDEN));
  }

  /**
   * Writes the [in x out] weight of {@code node} as rows {@code firstRow...} of {@code to}, [.. x
   * in].
   */
  private void transpose(String node, MemorySegment to, int firstRow, int in, int out)
      throws IOException {
    float[] from = copy(model.ofNode(node, in, out).data());
    float[] row = new float[in];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in; i++) {
        row[i] = from[i * out + o];
      }
      put(to, (long) (firstRow + o) * in, row);
    }
  }

  private float[] floats(String name, long... shape) throws IOException {
    return copy(model.named(name, shape).data());
  }

  private static float[] copy(FloatBuffer data) {
    float[] values = new float[data.remaining()];
    data.duplicate().get(values);
    return values;
  }

  private MemorySegment allocate(long rows, long columns) {
    Tensor tensor = scope.allocate(DType.FLOAT32, rows, columns);
    return tensor.segment();
  }

  private static void put(MemorySegment to, long index, float[] values) {
    MemorySegment.copy(values, 0, to, ValueLayout.JAVA_FLOAT, index * Float.BYTES, values.length);
  }
}
