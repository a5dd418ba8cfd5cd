package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * One additive attention to time, without a mask, with a bias.
 *
 * @param pass forward or backward pass
 * @param dtype of query, key, value and out, and of their gradients
 * @param batch B
 * @param queries Sq
 * @param keys Sk
 * @param heads H
 * @param headDim A
 * @param valueHeadDim Dv
 */
record AdditiveProblem(
    Pass pass,
    DType dtype,
    int batch,
    int queries,
    int keys,
    int heads,
    int headDim,
    int valueHeadDim)
    implements ComposedProblem {

  /** Of a tanh on the ports of multiply-adds, and on the divider: native/cpu/README.md. */
  private static final double SCORE_OPERATIONS = 3.75;

  private static final double GRADIENT_OPERATIONS = 9.5;
  private static final double DIVISIONS = 0.25;

  /** Of a power of a query's or a key's element: exp_twice in native/cpu/simd.h, and its limits. */
  private static final double POWER_OPERATIONS = 18;

  /** Float32 tensors of [B, H, Sq, Sk, A] that the composition has at once. */
  private static final double STATES = 1.1;

  private static final double BACKWARD_STATES = 3.2;

  /** The problem that has targets, of a pass. */
  static AdditiveProblem headline(Pass pass) {
    return square(pass, 1024, 1, 64);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<AdditiveProblem> all(int threads) {
    List<AdditiveProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      all.add(headline(pass));
      all.add(square(pass, 1024, 4, 64));
      all.add(new AdditiveProblem(pass, DType.FLOAT32, 64, 1, 4096, 1, 64, 64)); // pooling
      if (threads == 1) {
        all.add(square(pass, 256, 1, 64));
        all.add(square(pass, 4096, 1, 64));
        all.add(square(pass, 1024, 1, 128));
        all.add(square(pass, 1024, 1, 256));
        all.add(headline(pass).as(DType.BFLOAT16));
      }
    }
    return all;
  }

  private static AdditiveProblem square(Pass pass, int sequence, int heads, int headDim) {
    return new AdditiveProblem(pass, DType.FLOAT32, 1, sequence, sequence, heads, headDim, 64);
  }

  @Override
  public AdditiveProblem as(DType other) {
    return new AdditiveProblem(pass, other, batch, queries, keys, heads, headDim, valueHeadDim);
  }

  @Override
  public String shape() {
    return "B %d, Sq %d, Sk %d, H %d, A %d, Dv %d"
        .formatted(batch, queries, keys, heads, headDim, valueHeadDim);
  }

  @Override
  public FoveaAdditive open() {
    return pass == Pass.FORWARD ? new FoveaAdditive(this) : new FoveaAdditiveBackward(this);
  }

  private double pairs() {
    return (double) batch * heads * queries * keys;
  }

  /** Of the forward pass, which the backward pass takes again. */
  double tanhs() {
    return pairs() * headDim;
  }

  /**
   * Besides the operations of its tanh a pair has Dv multiply-adds with the value; in the backward
   * pass twice as many, and the tanh once for the scores and once for the gradients.
   */
  @Override
  public Floor floor() {
    boolean backward = pass == Pass.BACKWARD;
    double operations = (SCORE_OPERATIONS + (backward ? GRADIENT_OPERATIONS : 0)) * tanhs();
    double powers = (double) batch * heads * (queries + keys) * headDim;
    double products = pairs() * valueHeadDim * (backward ? 2 : 1);
    double divisions = DIVISIONS * (backward ? 2 : 1) * tanhs();
    double flops = 2 * (operations + POWER_OPERATIONS * powers + products);
    return new Floor(
        "tanh", tanhs(), Map.of(MachineUnit.FLOP, flops, MachineUnit.DIVISION, divisions));
  }

  @Override
  public double composedBytes() {
    return (pass == Pass.BACKWARD ? BACKWARD_STATES : STATES) * Float.BYTES * tanhs();
  }

  /**
   * In float32 as for attention; but for dweight libtorch adds up one pair after the other, and a
   * sum of n terms of random sign errs by 2^-24 sqrt(n / 6) of itself. 16-bit types round once or
   * twice besides; their backward pass has out rounded, too, of which gradients whose terms cancel
   * make more.
   */
  @Override
  public double differenceAllowed() {
    boolean backward = pass == Pass.BACKWARD;
    double sums = backward ? 0x1p-24 * Math.sqrt(pairs() / heads / 6) : 0;
    double roundings = dtype == DType.FLOAT32 ? 0 : backward ? 4 : 2;
    return 1e-5 + sums + roundings * Rounding.unit(dtype);
  }

  @Override
  public String toString() {
    return "additive %s %s %s".formatted(pass, dtype, shape());
  }
}
