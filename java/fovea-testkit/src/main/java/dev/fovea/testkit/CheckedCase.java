package dev.fovea.testkit;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import java.io.IOException;
import java.util.Map;

/** A case that a device is checked with: a call of an operation, or the backward pass of one. */
public interface CheckedCase {

  /** Quantities that coverage counts quantiles of, by name, with a plan of such tiles. */
  Map<String, Integer> sizes(int tileQueries, int tileKeys);

  /** What it has of each feature, by feature: a few values each, that coverage counts. */
  Map<String, String> features();

  /** The options of a check that repeat the case. */
  String repeat();

  /** Runs the case once from nothing. */
  default Result check(Device device) {
    return prepare(device).check(device);
  }

  /** Draws the operands, and computes what is expected of devices that round as this one does. */
  Prepared prepare(Device device);

  /** A case of which it is known what comes out. */
  @FunctionalInterface
  interface Prepared {

    /** Runs it once. */
    Result check(Device device);
  }

  /**
   * Writes the case: head, what its pass reads, and what it writes, held to what {@code device} is.
   */
  void write(CaseFile file, String device) throws IOException;

  /**
   * What a run gave.
   *
   * @param wrong what is wrong with it, or null
   * @param worst largest error in units of what is allowed
   * @param outputs bytes of all outputs, one after the other
   * @param plan that ran
   */
  record Result(String wrong, double worst, byte[] outputs, AttentionPlan plan) {}
}
