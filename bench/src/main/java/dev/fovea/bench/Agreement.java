package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.testkit.Rounding;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Compares our whole outputs with the peer's. Neither is exact, and the peer rounds the weights of
 * 16-bit types, so this is looser than {@link OracleRows}; but it sees every element.
 */
final class Agreement {

  /** Of the largest difference of a composed mechanism, over the root mean square. */
  private static final double LARGEST = 32;

  private Agreement() {}

  /**
   * Compares {@code theirs} with what {@code attention} wrote.
   *
   * @param theirs as {@link FoveaAttention#outputs}, each [B, S, H, D]
   * @return the root mean square of the difference, relative to that of the values, of the output
   *     that differs most
   */
  static double check(FoveaAttention attention, String peer, List<float[]> theirs) {
    AttentionProblem problem = attention.problem();
    double largest = largestAllowed(problem);
    return check(attention, peer, theirs, difference -> largest, relativeAllowed(problem));
  }

  /**
   * Compares {@code theirs} with what {@code side} wrote. Outputs may be sums of any size, so that
   * both bounds are relative.
   *
   * @param theirs as {@link FoveaSide#outputs}
   * @return as {@link #check(FoveaAttention, String, List)}
   */
  static double check(ComposedSide<?> side, String peer, List<float[]> theirs) {
    double allowed = side.problem().differenceAllowed();
    return check(side, peer, theirs, difference -> LARGEST * allowed * difference.size(), allowed);
  }

  private static double check(
      FoveaSide<?> side,
      String peer,
      List<float[]> theirs,
      ToDoubleFunction<Difference> largestAllowed,
      double relativeAllowed) {
    double worst = 0;
    for (int i = 0; i < theirs.size(); i++) {
      Difference difference = Difference.of(side.outputs().get(i), theirs.get(i));
      double largest = largestAllowed.applyAsDouble(difference);
      difference.refuse(side.problem(), peer, i, largest, relativeAllowed);
      worst = Math.max(worst, difference.relative());
    }
    return worst;
  }

  /**
   * How two outputs differ.
   *
   * @param largest of all elements
   * @param relative root mean square, relative to that of the values
   * @param size root mean square of the values
   */
  private record Difference(double largest, double relative, double size) {
    static Difference of(Tensor output, float[] theirs) {
      float[] ours = output.toFloatArray();
      double squares = 0;
      double differences = 0;
      double largest = 0;
      for (int i = 0; i < ours.length; i++) {
        double difference = Math.abs(ours[i] - theirs[i]);
        squares += (double) ours[i] * ours[i];
        differences += difference * difference;
        largest = difference <= largest ? largest : difference; // a NaN counts
      }
      return new Difference(
          largest, Math.sqrt(differences / squares), Math.sqrt(squares / ours.length));
    }

    void refuse(
        Object problem, String peer, int output, double largestAllowed, double relativeAllowed) {
      if (!(largest <= largestAllowed && relative <= relativeAllowed)) {
        throw new WrongOutputException(
            "%s: output %d of %s differs by %.3g, root mean square %.3g of the values"
                    .formatted(problem, output, peer, largest, relative)
                + "; allowed %.3g and %.3g".formatted(largestAllowed, relativeAllowed));
      }
    }
  }

  /** Roundings of values up to 4: a mean of N(0,1) is no larger, a gradient hardly. */
  private static double largestAllowed(AttentionProblem problem) {
    return problem.dtype() == DType.FLOAT32 ? 1e-5 : roundings(problem) * 4 * unit(problem);
  }

  /** As much as two roundings of the values themselves; more add up at random signs. */
  private static double relativeAllowed(AttentionProblem problem) {
    return problem.dtype() == DType.FLOAT32
        ? 1e-5
        : 2 * Math.sqrt(roundings(problem) / 2.0) * unit(problem);
  }

  /** To a 16-bit type: of weights and of the output, and of what libtorch adds its gradients to. */
  private static int roundings(AttentionProblem problem) {
    int sums =
        switch (problem.pass()) {
          case FORWARD -> 0;
          case BACKWARD -> Math.ceilDiv(problem.sequence(), libtorchBlock(problem.sequence()));
        };
    return 2 + sums;
  }

  /** Queries after which libtorch's kernel rounds its gradients of keys and values. */
  private static int libtorchBlock(int sequence) {
    return sequence >= 768 ? 256 : sequence >= 192 ? 64 : 32;
  }

  private static double unit(AttentionProblem problem) {
    return Rounding.unit(problem.dtype());
  }
}
