package dev.fovea.testkit;

/**
 * What a kind of device can take, and what a case may cost there.
 *
 * @param headDim largest D and Dv that its planner accepts in every operation and pass
 * @param keyDim largest D that it accepts in both passes of attention
 * @param tiles steps of 128 query rows over 64 keys of 128 columns that a usual case may take; a
 *     long one takes twice as many
 * @param positionDim largest D and Dv with keys of distances or a content bias in attention
 * @param modifiers whether it has score modifiers
 * @param minima how resources with the coverage that a check must reach end
 */
public record Limits(
    int headDim, int keyDim, double tiles, int positionDim, boolean modifiers, String minima) {

  private static final String MINIMA = "-minima.properties";

  /** Only the oracle takes time. */
  public static final Limits CPU =
      new Limits(512, 576, Double.POSITIVE_INFINITY, 576, true, MINIMA);

  /**
   * A GPU: as the CPU, with the heads that its kernels have. Score modifiers are compiled there,
   * for seconds, which random cases would be forever at.
   */
  public static final Limits CUDA =
      new Limits(256, 256, Double.POSITIVE_INFINITY, 128, false, MINIMA);

  /** The kernels of the GPU on the simulator, where a tile takes milliseconds. */
  public static final Limits SIM = new Limits(256, 256, 300, 128, true, "-minima-sim.properties");

  /** The limits of the device of that name. */
  public static Limits of(String device) {
    return device.startsWith("cpu") ? CPU : device.startsWith("sim") ? SIM : CUDA;
  }
}
