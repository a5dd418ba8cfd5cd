package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import java.util.ArrayList;
import java.util.List;

/**
 * One rotary position embedding to time, of whole rows. What is measured is more than caches hold:
 * within them a copy's bytes are no floor.
 *
 * @param interleaved whether the elements of a pair are neighbours
 * @param pass forward or backward pass
 * @param dtype of x and out, and of their gradients
 * @param batch B
 * @param sequence S
 * @param heads H
 * @param headDim D
 */
record RotaryProblem(
    boolean interleaved, Pass pass, DType dtype, int batch, int sequence, int heads, int headDim)
    implements ComposedProblem {

  /** The problem that has targets, of a pass. */
  static RotaryProblem headline(Pass pass) {
    return of(false, pass, 8, 128);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<RotaryProblem> all(int threads) {
    List<RotaryProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      all.add(headline(pass));
      all.add(of(true, pass, 8, 128));
      if (threads == 1) {
        all.add(of(false, pass, 16, 64));
        all.add(of(true, pass, 16, 64));
        all.add(headline(pass).as(DType.BFLOAT16));
      }
    }
    return all;
  }

  private static RotaryProblem of(boolean interleaved, Pass pass, int batch, int headDim) {
    return new RotaryProblem(interleaved, pass, DType.FLOAT32, batch, 2048, 8, headDim);
  }

  @Override
  public RotaryProblem as(DType other) {
    return new RotaryProblem(interleaved, pass, other, batch, sequence, heads, headDim);
  }

  @Override
  public String shape() {
    return "%s, B %d, S %d, H %d, D %d"
        .formatted(interleaved ? "interleaved" : "half-split", batch, sequence, heads, headDim);
  }

  @Override
  public FoveaRotary open() {
    return new FoveaRotary(this);
  }

  private double elements() {
    return (double) batch * sequence * heads * headDim;
  }

  /** x is read and out written, or dout and dx; the tables are little beside them. */
  @Override
  public Floor floor() {
    return Floor.bytes(2.0 * dtype.byteSize() * elements());
  }

  /**
   * x in float32, if it is not, two products, what is turned by a right angle, and the sum; in the
   * backward pass the gradients of all.
   */
  @Override
  public double composedBytes() {
    return (pass == Pass.BACKWARD ? 8 : 5) * Float.BYTES * elements();
  }

  /** Sums of two products are not sums of a sequence: they err by roundings alone. */
  @Override
  public double differenceAllowed() {
    return 1e-6 + (dtype == DType.FLOAT32 ? 0 : 2 * Rounding.unit(dtype));
  }

  @Override
  public String toString() {
    return "rotary %s %s %s".formatted(pass, dtype, shape());
  }
}
