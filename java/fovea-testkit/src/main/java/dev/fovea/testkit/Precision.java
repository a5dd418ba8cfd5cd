package dev.fovea.testkit;

/**
 * What a backend rounds besides its output. The specification's element bound has one unit u for
 * two roundings: that of the weights before the product with the values, and that of the output.
 * They are kept apart here, since the dtypes of input and output may differ and the CPU keeps its
 * weights in float32; each backend is held to what it really does.
 *
 * @param roundsWeights weights are rounded to the input dtype (tensor cores); else they stay
 *     float32
 */
public record Precision(boolean roundsWeights) {

  /** Weights in float32. */
  public static final Precision CPU = new Precision(false);

  /** Weights in the input dtype. */
  public static final Precision TENSOR_CORE = new Precision(true);

  /** The precision of the device of that name. */
  public static Precision of(String device) {
    return device.startsWith("cpu") ? CPU : TENSOR_CORE;
  }
}
