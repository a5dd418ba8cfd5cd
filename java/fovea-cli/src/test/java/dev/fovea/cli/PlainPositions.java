package dev.fovea.cli;

import java.util.Map;

/** With biases of queries and keys of distances, as Transformer-XL has them. */
final class PlainPositions extends PlainAttention {
  private final double[] contentBias;
  private final double[] positionBias;
  private final double[] positionKeys; // [rows, Hq or 1, D]
  private final int rows;
  private final int rowHeads;
  private final int origin;

  /** {@code origin} is the row of distance 0; behind it there is one for each key. */
  PlainPositions(
      int batch, int queries, int keys, int heads, int keyHeads, int rowHeads, int origin) {
    super(batch, queries, keys, heads, keyHeads, 8, 8);
    this.rowHeads = rowHeads;
    this.origin = origin;
    rows = origin + keys;
    contentBias = values(heads * dim);
    positionBias = values(heads * dim);
    positionKeys = values(rows * rowHeads * dim);
  }

  @Override
  double product(int b, int h, int i, int j, int distance) {
    int row = (origin - distance) * rowHeads + (rowHeads == 1 ? 0 : h);
    double x = 0;
    for (int d = 0; d < dim; d++) {
      x += (query(b, h, i, d) + contentBias[h * dim + d]) * key(b, h, j, d);
      x += (query(b, h, i, d) + positionBias[h * dim + d]) * positionKeys[row * dim + d];
    }
    return x;
  }

  @Override
  Map<String, double[]> operands() {
    Map<String, double[]> operands = super.operands();
    operands.put("content-bias", contentBias);
    operands.put("position-bias", positionBias);
    operands.put("position-keys", positionKeys);
    return operands;
  }

  @Override
  long[] shape(String operand) {
    return switch (operand) {
      case "content-bias", "position-bias" -> new long[] {heads, dim};
      case "position-keys" -> new long[] {rows, rowHeads, dim};
      default -> super.shape(operand);
    };
  }
}
