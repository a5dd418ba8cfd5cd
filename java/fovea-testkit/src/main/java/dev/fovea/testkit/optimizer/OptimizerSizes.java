package dev.fovea.testkit.optimizer;

import dev.fovea.OptimizerStep;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch rows, B
 * @param count parameters of a row, N
 */
@SuppressWarnings("exports") // for the operations in this module
public record OptimizerSizes(int batch, int count) implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "count" -> count;
      case "rate_count" -> OptimizerStep.RATES;
      default -> throw new IllegalArgumentException("optimizer has no " + size.name());
    };
  }

  @Override
  public String toString() {
    return "B=%d N=%d".formatted(batch, count);
  }
}
