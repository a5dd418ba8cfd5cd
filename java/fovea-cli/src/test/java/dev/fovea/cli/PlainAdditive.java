package dev.fovea.cli;

import java.util.Map;

/** Additive attention in double; of {@link PlainAttention} its masks and lengths. */
final class PlainAdditive extends PlainAttention {

  final double[] weight;

  /** Random operands that are exact in bfloat16; no bias. */
  PlainAdditive(int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    super(batch, queries, keys, heads, keyHeads, dim, valueDim);
    weight = values(heads * dim);
  }

  @Override
  double score(int b, int h, int i, int j, int distance) {
    double x = 0;
    for (int a = 0; a < dim; a++) {
      double sum = query(b, h, i, a) + key(b, h, j, a) + (bias == null ? 0 : bias[h * dim + a]);
      x += weight[h * dim + a] * Math.tanh(sum);
    }
    return x;
  }

  @Override
  String operation() {
    return "additive";
  }

  @Override
  Map<String, double[]> operands() {
    Map<String, double[]> operands = super.operands();
    operands.put("weight", weight);
    return operands;
  }

  @Override
  long[] shape(String operand) {
    return operand.equals("weight") ? new long[] {heads, dim} : super.shape(operand);
  }
}
