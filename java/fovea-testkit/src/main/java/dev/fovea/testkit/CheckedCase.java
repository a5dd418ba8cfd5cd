package dev.fovea.testkit;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;

/** A case that a device is checked with: a call, or the backward pass of one. */
public sealed interface CheckedCase permits AttentionCase, BackwardCase {

  /** The call itself, or that whose backward pass this is. */
  AttentionCase forward();

  /** Runs the case once from nothing. */
  Result check(Device device);

  /** The options that repeat the case. */
  default String repeat() {
    return forward().repeat();
  }

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
