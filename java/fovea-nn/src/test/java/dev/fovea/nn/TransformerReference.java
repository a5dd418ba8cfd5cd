package dev.fovea.nn;

import dev.fovea.nn.Reference.Bias;
import java.util.Arrays;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/** Layers of transformers in float64, from the values of parameters by their names. */
final class TransformerReference {
  /** What heads of queries, keys and values make, all [rows, heads, dim]. */
  @FunctionalInterface
  interface Attending {
    double[] of(double[] q, double[] k, double[] v);
  }

  /** Queries or keys, [rows, heads, dim], turned by their positions. */
  @FunctionalInterface
  interface Turn {
    double[] of(double[] x, int heads);
  }

  final int width;
  final int heads;
  final int dim;
  int keyHeads;
  DoubleUnaryOperator activation = Reference::gelu;
  boolean isGated;
  boolean isPostNorm;
  Turn turn = (x, heads) -> x;
  Attending self;
  Attending cross;

  TransformerReference(int width, int heads) {
    this.width = width;
    this.heads = heads;
    this.dim = width / heads;
    keyHeads = heads;
  }

  /** Attention of sequences of one length. */
  Attending padded(int batch, Bias bias) {
    return (q, k, v) -> Reference.attention(q, k, v, batch, heads, keyHeads, dim, bias);
  }

  /** Attention of sequences end to end, each of its own length. */
  Attending packed(int... lengths) {
    return (q, k, v) -> {
      double[] out = new double[q.length];
      int row = 0;
      for (int length : lengths) {
        double[] part =
            Reference.attention(
                part(q, row, length, heads),
                part(k, row, length, keyHeads),
                part(v, row, length, keyHeads),
                1,
                heads,
                keyHeads,
                dim,
                Bias.none());
        System.arraycopy(part, 0, out, row * heads * dim, part.length);
        row += length;
      }
      return out;
    };
  }

  private double[] part(double[] x, int row, int rows, int heads) {
    return Arrays.copyOfRange(x, row * heads * dim, (row + rows) * heads * dim);
  }

  double[] encoder(Map<String, double[]> p, String name, int layers, int distinct, double[] x) {
    double[] stream = x;
    for (int i = 0; i < layers; i++) {
      stream = encoderLayer(p, name + ".layers." + i % distinct, stream);
    }
    return isPostNorm ? stream : norm(p, name + ".norm", stream);
  }

  double[] encoderLayer(Map<String, double[]> p, String name, double[] x) {
    double[] stream =
        behind(p, name + ".attention_norm", x, in -> selfAttention(p, name + ".attention", in));
    return behind(
        p, name + ".feed_forward_norm", stream, in -> feedForward(p, name + ".feed_forward", in));
  }

  double[] decoder(Map<String, double[]> p, String name, int layers, double[] x, double[] memory) {
    double[] stream = x;
    for (int i = 0; i < layers; i++) {
      String layer = name + ".layers." + i;
      stream =
          behind(
              p,
              layer + ".self_attention_norm",
              stream,
              in -> selfAttention(p, layer + ".self_attention", in));
      stream =
          behind(
              p,
              layer + ".cross_attention_norm",
              stream,
              in -> crossAttention(p, layer + ".cross_attention", in, memory));
      stream =
          behind(
              p,
              layer + ".feed_forward_norm",
              stream,
              in -> feedForward(p, layer + ".feed_forward", in));
    }
    return isPostNorm ? stream : norm(p, name + ".norm", stream);
  }

  private interface Part {
    double[] of(double[] x);
  }

  private double[] behind(Map<String, double[]> p, String norm, double[] stream, Part part) {
    return isPostNorm
        ? norm(p, norm, Reference.add(stream, part.of(stream)))
        : Reference.add(stream, part.of(norm(p, norm, stream)));
  }

  /** Layer normalization where there is a bias, else by the root mean square. */
  static double[] norm(Map<String, double[]> p, String name, double[] x) {
    double[] bias = p.get(name + ".bias");
    return Reference.normalize(x, p.get(name + ".weight"), bias, bias != null);
  }

  static double[] linear(Map<String, double[]> p, String name, double[] x, int in) {
    double[] weight = p.get(name + ".weight");
    return Reference.linear(x, weight, p.get(name + ".bias"), in, weight.length / in);
  }

  double[] selfAttention(Map<String, double[]> p, String name, double[] x) {
    int queries = heads * dim;
    int keys = keyHeads * dim;
    int all = queries + 2 * keys;
    double[] in = linear(p, name + ".query_key_value", x, width);
    double[] attended =
        self.of(
            turn.of(Reference.columns(in, all, 0, queries), heads),
            turn.of(Reference.columns(in, all, queries, keys), keyHeads),
            Reference.columns(in, all, queries + keys, keys));
    return linear(p, name + ".out", attended, queries);
  }

  double[] crossAttention(Map<String, double[]> p, String name, double[] x, double[] memory) {
    int keys = keyHeads * dim;
    double[] pairs = linear(p, name + ".key_value", memory, width);
    double[] attended =
        cross.of(
            linear(p, name + ".query", x, width),
            Reference.columns(pairs, 2 * keys, 0, keys),
            Reference.columns(pairs, 2 * keys, keys, keys));
    return linear(p, name + ".out", attended, heads * dim);
  }

  double[] feedForward(Map<String, double[]> p, String name, double[] x) {
    double[] up = linear(p, name + ".up", x, width);
    int all = up.length / (x.length / width);
    int hidden = isGated ? all / 2 : all;
    double[] inner = Reference.map(Reference.columns(up, all, 0, hidden), activation);
    if (isGated) {
      double[] gate = Reference.columns(up, all, hidden, hidden);
      for (int i = 0; i < inner.length; i++) {
        inner[i] *= gate[i];
      }
    }
    return linear(p, name + ".down", inner, hidden);
  }
}
