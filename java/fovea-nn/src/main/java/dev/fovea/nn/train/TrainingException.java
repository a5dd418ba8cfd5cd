package dev.fovea.nn.train;

/**
 * Training cannot go on: a loss or a gradient is no number. The parameters are those of the step
 * before.
 */
public final class TrainingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int step;

  TrainingException(int step, String message) {
    super(message);
    this.step = step;
  }

  /** The step that failed; the first is 1. */
  public int step() {
    return step;
  }
}
