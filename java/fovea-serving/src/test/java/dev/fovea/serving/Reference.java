package dev.fovea.serving;

import java.util.List;

/** What a decoder of one layer in float32 gives for a sequence, in float64 and without a cache. */
final class Reference {
  private static final double BASE = 10_000;

  private final DecoderShape shape;

  Reference(DecoderShape shape) {
    this.shape = shape;
  }

  /** The results of tokens from one of them on. */
  double[] of(List<Long> tokens, int from) {
    int heads = shape.heads(DecoderShape.QUERY);
    int width = shape.valueHeadDim;
    double[] all = new double[(tokens.size() - from) * heads * width];
    float[][] keys = new float[tokens.size()][shape.keyHeads * shape.headDim];
    float[][] values = new float[tokens.size()][shape.keyHeads * width];
    int first = shape.window < 0 ? 0 : Math.max(0, from - shape.window);
    for (int j = first; j < tokens.size(); j++) {
      shape.write(tokens.get(j), 0, DecoderShape.KEY, keys[j], 0);
      shape.write(tokens.get(j), 0, DecoderShape.VALUE, values[j], 0);
    }
    float[] query = new float[heads * shape.headDim];
    for (int i = from; i < tokens.size(); i++) {
      shape.write(tokens.get(i), 0, DecoderShape.QUERY, query, 0);
      for (int head = 0; head < heads; head++) {
        int at = ((i - from) * heads + head) * width;
        int begin = shape.window < 0 ? 0 : Math.max(0, i - shape.window);
        attend(query, head, keys, values, begin, i + 1, all, at);
      }
    }
    return all;
  }

  private void attend(
      float[] query,
      int head,
      float[][] keys,
      float[][] values,
      int begin,
      int end,
      double[] out,
      int at) {
    int own = head / shape.group;
    double sum = 0;
    for (int j = begin; j < end; j++) {
      double[] key = rotated(keys[j], own * shape.headDim, j);
      double score = 0;
      for (int d = 0; d < shape.headDim; d++) {
        score += query[head * shape.headDim + d] * key[d];
      }
      double weight = Math.exp(score / Math.sqrt(shape.headDim)); // scores are small
      sum += weight;
      for (int d = 0; d < shape.valueHeadDim; d++) {
        out[at + d] += weight * values[j][own * shape.valueHeadDim + d];
      }
    }
    for (int d = 0; d < shape.valueHeadDim; d++) {
      out[at + d] /= sum;
    }
  }

  private double[] rotated(float[] row, int at, int position) {
    double[] key = new double[shape.headDim];
    for (int d = 0; d < key.length; d++) {
      key[d] = row[at + d];
    }
    int pairs = shape.rotated / 2;
    for (int c = 0; c < pairs; c++) {
      double angle = position * Math.pow(BASE, -(double) c / pairs);
      double cos = Math.cos(angle);
      double sin = Math.sin(angle);
      double x = key[c];
      double y = key[c + pairs];
      key[c] = x * cos - y * sin;
      key[c + pairs] = x * sin + y * cos;
    }
    return key;
  }
}
