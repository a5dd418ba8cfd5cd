package dev.fovea.cli.train;

import java.util.List;

/** Layers one after the other. */
final class Sequence implements Layer {
  private final List<Layer> layers;

  Sequence(List<Layer> layers) {
    this.layers = layers;
  }

  @Override
  public Matrix forward(Matrix input) {
    Matrix x = input;
    for (Layer layer : layers) {
      x = layer.forward(x);
    }
    return x;
  }

  @Override
  public Matrix backward(Matrix gradient) {
    Matrix dx = gradient;
    for (Layer layer : layers.reversed()) {
      dx = layer.backward(dx);
    }
    return dx;
  }
}
