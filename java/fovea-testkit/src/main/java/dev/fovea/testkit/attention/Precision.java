package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Rounding;

/**
 * What a backend rounds besides its output. The specification's element bound has one unit u for
 * two roundings: that of the weights before the product with the values, and that of the output.
 * They are kept apart here, since the dtypes of input and output may differ and the CPU keeps its
 * weights in float32; each backend is held to what it really does.
 *
 * @param tensorCores products take factors of the input dtype, or of TF32 where that is allowed, so
 *     that weights are rounded to it; else weights stay float32
 */
public record Precision(boolean tensorCores) {

  /** Weights in float32. */
  public static final Precision CPU = new Precision(false);

  /** Weights in the input dtype. */
  public static final Precision TENSOR_CORE = new Precision(true);

  /** Products of factors of 16 bits, or of TF32, for which a sum is cut to float32 once more. */
  private static final double HALF_PRODUCTS = 16;

  private static final double TF32_PRODUCTS = 8;

  private static final double FLOAT16_NORMAL = 0x1p-14;

  /**
   * Products take weights of float16 times powers of two, so that the largest are near the largest
   * number: those of a forward relative to the largest of their row times 2^13 at least, those of a
   * backward times 2^15.
   */
  static final double FORWARD_WEIGHTS = 0x1p13;

  static final double BACKWARD_WEIGHTS = 0x1p15;

  /** Score gradients times that at least, relative to the largest that there may be. */
  static final double SCORE_GRADIENTS = 0x1p10;

  /** 11 significant bits, like float16. */
  private static final double TF32 = 0x1p-11;

  /** The precision of the device of that name. */
  public static Precision of(String device) {
    return device.startsWith("cpu") ? CPU : TENSOR_CORE;
  }

  /** Unit roundoff of the weights where the product takes 16-bit inputs; 0: they stay float32. */
  double weightUnit(Options options) {
    return tensorCores && options.dtype() != DType.FLOAT32 ? Rounding.unit(options.dtype()) : 0;
  }

  /**
   * What a sum of {@code terms} products loses because tensor cores cut where float32 arithmetic
   * rounds, in units of the sum of the products' sizes; derived at {@link Oracle}.
   *
   * @param tf32 whether products of float32 may round their factors
   */
  public double truncation(DType type, boolean tf32, long terms) {
    if (!tensorCores) {
      return 0;
    }
    double cut = 0x1p-23;
    if (type == DType.FLOAT32 && !tf32) {
      return 5 * cut;
    }
    return (terms / (type == DType.FLOAT32 ? TF32_PRODUCTS : HALF_PRODUCTS) + 2) * cut;
  }

  /** The least size as which products align a factor that is not 0; 0: as what it is. */
  public double leastFactor(DType type) {
    return tensorCores && type == DType.FLOAT16 ? FLOAT16_NORMAL : 0;
  }

  /** Unit roundoff of every factor of a product; 0: factors are taken as they are. */
  double factorUnit(Options options) {
    boolean rounds = tensorCores && options.dtype() == DType.FLOAT32 && options.allowTf32();
    return rounds ? TF32 : 0;
  }
}
