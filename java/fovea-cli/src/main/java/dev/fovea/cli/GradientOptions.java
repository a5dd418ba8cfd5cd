package dev.fovea.cli;

import dev.fovea.cli.attend.Attend.Gradients;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What {@code attend} reads and writes in the backward pass. */
final class GradientOptions {

  @Option(
      names = "--dout",
      paramLabel = "G.npy",
      description = "The gradient of out, to be read: [B,Sq,Hq,Dv]; the others need it.")
  private Path dout;

  @Option(names = "--dquery", paramLabel = "G.npy", description = "[B,Sq,Hq,D]")
  private Path dquery;

  @Option(names = "--dkey", paramLabel = "G.npy", description = "[B,Sk,Hk,D]")
  private Path dkey;

  @Option(names = "--dvalue", paramLabel = "G.npy", description = "[B,Sk,Hk,Dv]")
  private Path dvalue;

  @Option(
      names = "--dbias",
      paramLabel = "G.npy",
      description = "As --bias, summed over dimensions of 1.")
  private Path dbias;

  @Option(names = "--dalibi-slopes", paramLabel = "G.npy", description = "As --alibi-slopes.")
  private Path dalibiSlopes;

  @Option(names = "--dsinks", paramLabel = "G.npy", description = "[Hq]")
  private Path dsinks;

  @Option(names = "--deterministic", description = "Have a GPU give the same bits on every run.")
  private boolean deterministic;

  /**
   * The files.
   *
   * @param bias whether the forward pass has one; so with slopes and sinks
   * @throws IllegalArgumentException if they do not go together
   */
  Gradients files(boolean bias, boolean alibiSlopes, boolean sinks) {
    boolean any = dquery != null || dkey != null || dvalue != null;
    any |= wanted("--dbias", dbias, "--bias", bias);
    any |= wanted("--dalibi-slopes", dalibiSlopes, "--alibi-slopes", alibiSlopes);
    any |= wanted("--dsinks", dsinks, "--sinks", sinks);
    if (!any) {
      throw new IllegalArgumentException(
          (dout != null ? "--dout" : "--deterministic")
              + " needs a gradient to write: --dquery, --dkey, --dvalue, --dbias, --dalibi-slopes"
              + " or --dsinks");
    }
    if (dout == null) {
      throw new IllegalArgumentException(
          "gradients need --dout, the gradient of out, of the shape of out");
    }
    return new Gradients(dout, dquery, dkey, dvalue, dbias, dalibiSlopes, dsinks, deterministic);
  }

  private static boolean wanted(String option, Path gradient, String of, boolean given) {
    if (gradient != null && !given) {
      throw new IllegalArgumentException(
          option + " needs " + of + ": there is no gradient of what is not there");
    }
    return gradient != null;
  }
}
