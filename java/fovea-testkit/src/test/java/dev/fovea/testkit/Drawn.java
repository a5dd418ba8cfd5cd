package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;

/** Tensors of random numbers. */
final class Drawn {

  private Drawn() {}

  /** N(0,1). */
  static Tensor normal(Scope scope, Device device, long seed, DType type, long... shape) {
    Tensor tensor = scope.allocate(type, shape);
    Gaussian random = new Gaussian(seed);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values).on(device);
  }
}
