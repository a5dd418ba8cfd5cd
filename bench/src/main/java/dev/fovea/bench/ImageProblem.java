package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One channel or spatial attention to time, with biases.
 *
 * @param kind which
 * @param pass forward or backward pass
 * @param dtype of x and out, and of their gradients
 * @param last whether the channels are last in memory
 * @param batch N
 * @param channels C
 * @param size H and W
 * @param inner R hidden units, or a kernel of K
 */
record ImageProblem(
    Kind kind, Pass pass, DType dtype, boolean last, int batch, int channels, int size, int inner)
    implements ComposedProblem {

  private static final int REDUCTION = 16; // SENet's
  private static final int KERNEL = 7; // CBAM's

  /** The problem that has targets, of a pass: the second stage of a ResNet. */
  static ImageProblem headline(Kind kind, Pass pass) {
    return of(kind, pass, false, 32, 256, 56);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<ImageProblem> all(Kind kind, int threads) {
    List<ImageProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      all.add(headline(kind, pass));
      all.add(of(kind, pass, true, 32, 256, 56));
      if (threads == 1) {
        all.add(of(kind, pass, false, 1, 256, 56));
        all.add(of(kind, pass, false, 32, 2048, 7));
        all.add(of(kind, pass, true, 32, 2048, 7));
        all.add(headline(kind, pass).as(DType.BFLOAT16));
      }
    }
    return all;
  }

  private static ImageProblem of(
      Kind kind, Pass pass, boolean last, int batch, int channels, int size) {
    int inner = kind == Kind.CHANNEL ? channels / REDUCTION : KERNEL;
    return new ImageProblem(kind, pass, DType.FLOAT32, last, batch, channels, size, inner);
  }

  @Override
  public ImageProblem as(DType other) {
    return new ImageProblem(kind, pass, other, last, batch, channels, size, inner);
  }

  @Override
  public String shape() {
    return "%s, N %d, C %d, H = W = %d, %s %d"
        .formatted(
            last ? "NHWC" : "NCHW", batch, channels, size, kind == Kind.CHANNEL ? "R" : "K", inner);
  }

  @Override
  public FoveaImage open() {
    return new FoveaImage(this);
  }

  private double elements() {
    return (double) batch * channels * size * size;
  }

  /** x is read and out written; of a backward pass x and dout are read and dx is written. */
  @Override
  public Floor floor() {
    return Floor.bytes((pass == Pass.BACKWARD ? 3 : 2) * dtype.byteSize() * elements());
  }

  /** x in float32, if it is not, the product, and in the backward pass the gradients of both. */
  @Override
  public double composedBytes() {
    return (pass == Pass.BACKWARD ? 5 : 2) * Float.BYTES * elements();
  }

  /**
   * Sums of n terms of random sign err by 2^-24 sqrt(n) of themselves, and those of the backward
   * pass cancel.
   */
  @Override
  public double differenceAllowed() {
    boolean backward = pass == Pass.BACKWARD;
    double sums = 0x1p-24 * Math.sqrt(backward ? elements() / channels : size * size);
    return 1e-5 + sums + (dtype == DType.FLOAT32 ? 0 : 2 * Rounding.unit(dtype));
  }

  @Override
  public String toString() {
    return "%s %s %s %s".formatted(kind.name().toLowerCase(Locale.ROOT), pass, dtype, shape());
  }
}
