package dev.fovea.cli;

import java.util.Map;

/** Distance attention in double; of {@link PlainAttention} its masks and lengths. */
final class PlainDistance extends PlainAttention {

  final double[] bandwidth;

  /** Random operands that are exact in bfloat16, a bandwidth of at least 1 for each head. */
  PlainDistance(int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    super(batch, queries, keys, heads, keyHeads, dim, valueDim);
    bandwidth = values(heads);
    for (int h = 0; h < heads; h++) {
      bandwidth[h] = 1 + Math.abs(bandwidth[h]);
    }
  }

  @Override
  double score(int b, int h, int i, int j, int distance) {
    double sum = 0;
    for (int d = 0; d < dim; d++) {
      double difference = query(b, h, i, d) - key(b, h, j, d);
      sum += difference * difference;
    }
    return -sum / (2 * bandwidth[h] * bandwidth[h]);
  }

  @Override
  String operation() {
    return "distance";
  }

  @Override
  Map<String, double[]> operands() {
    Map<String, double[]> operands = super.operands();
    operands.put("bandwidth", bandwidth);
    return operands;
  }
}
