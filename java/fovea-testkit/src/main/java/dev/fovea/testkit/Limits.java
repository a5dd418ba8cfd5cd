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
 * @param plain share of attention's cases that are made to be such as its fastest kernels take,
 *     which have few features
 * @param minima how resources with the coverage that a check must reach end
 */
public record Limits(
    int headDim,
    int keyDim,
    double tiles,
    int positionDim,
    boolean modifiers,
    double plain,
    String minima) {

  private static final String MINIMA = "-minima.properties";

  /** Only the oracle takes time. */
  public static final Limits CPU =
      new Limits(512, 576, Double.POSITIVE_INFINITY, 576, true, 0, MINIMA);

  /**
   * A GPU: as the CPU, with the heads that its kernels have. Score modifiers are compiled there,
   * for seconds, which random cases would be forever at.
   */
  public static final Limits CUDA =
      new Limits(256, 256, Double.POSITIVE_INFINITY, 128, false, 0.3, MINIMA);

  /** The kernels of the GPU on the simulator, where a tile takes milliseconds. */
  public static final Limits SIM =
      new Limits(256, 256, 300, 128, true, 0, "-minima-sim.properties");

  /** The same where warpgroups have kernels of their own. */
  public static final Limits SIM_90 =
      new Limits(256, 256, 300, 128, true, 0.6, "-minima-sim.properties");

  /** The limits of the device of that name. */
  public static Limits of(String device) {
    if (device.startsWith("cpu")) {
      return CPU;
    }
    if (!device.startsWith("sim")) {
      return CUDA;
    }
    return device.equals("sim:sm_90") ? SIM_90 : SIM;
  }
}
