package dev.fovea.cli.train;

/**
 * A differentiable function of the rows of a batch, with its parameters. A layer writes to the same
 * matrices in every step.
 */
interface Layer {

  /** The output. The layer may look at {@code input} again in the backward pass. */
  Matrix forward(Matrix input);

  /**
   * The gradient of the input from that of the last output, which stays as it is. Sets the
   * gradients of the parameters.
   */
  Matrix backward(Matrix gradient);
}
