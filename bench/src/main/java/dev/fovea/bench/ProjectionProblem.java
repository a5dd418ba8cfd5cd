package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import java.util.ArrayList;
import java.util.List;

/**
 * One projection of sequences to time, as of the keys or values of low-rank attention.
 *
 * @param shared whether all heads have one weight
 * @param pass forward or backward pass
 * @param dtype of x, weight and out, and of the gradient of x
 * @param batch B
 * @param sequence S
 * @param rank R
 * @param heads H
 * @param headDim D
 */
record ProjectionProblem(
    boolean shared,
    Pass pass,
    DType dtype,
    int batch,
    int sequence,
    int rank,
    int heads,
    int headDim)
    implements ComposedProblem {

  /** The problem that has targets, of a pass. */
  static ProjectionProblem headline(Pass pass) {
    return of(true, pass, 1, 4096, 256);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<ProjectionProblem> all(int threads) {
    List<ProjectionProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      all.add(headline(pass));
      all.add(of(false, pass, 1, 4096, 256));
      if (threads == 1) {
        all.add(of(true, pass, 8, 512, 128));
        all.add(headline(pass).as(DType.BFLOAT16));
      }
    }
    return all;
  }

  private static ProjectionProblem of(
      boolean shared, Pass pass, int batch, int sequence, int rank) {
    return new ProjectionProblem(shared, pass, DType.FLOAT32, batch, sequence, rank, 8, 64);
  }

  @Override
  public ProjectionProblem as(DType other) {
    return new ProjectionProblem(shared, pass, other, batch, sequence, rank, heads, headDim);
  }

  @Override
  public String shape() {
    return "B %d, S %d, R %d, H %d, D %d, %s"
        .formatted(
            batch, sequence, rank, heads, headDim, shared ? "a weight" : "a weight for each head");
  }

  @Override
  public FoveaProjection open() {
    return new FoveaProjection(this);
  }

  private double elements() {
    return (double) batch * sequence * heads * headDim;
  }

  private double weights() {
    return (double) (shared ? 1 : heads) * rank * sequence;
  }

  /** A product, and of a backward pass one for each gradient. */
  @Override
  public Floor floor() {
    return Floor.flops((pass == Pass.BACKWARD ? 4.0 : 2.0) * elements() * rank);
  }

  /** Operands in float32, and in the order of heads; in the backward pass gradients likewise. */
  @Override
  public double composedBytes() {
    return (pass == Pass.BACKWARD ? 3 : 1) * Float.BYTES * (2 * elements() + weights());
  }

  @Override
  public double differenceAllowed() {
    return differenceOfSums(sequence);
  }

  @Override
  public String toString() {
    return "projection %s %s %s".formatted(pass, dtype, shape());
  }
}
