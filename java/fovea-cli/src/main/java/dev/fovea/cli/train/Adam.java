package dev.fovea.cli.train;

import java.util.List;

/** Adam (Kingma and Ba, 2015, arXiv 1412.6980). */
final class Adam {
  private static final float BETA1 = 0.9f;
  private static final float BETA2 = 0.98f;
  private static final float EPSILON = 1e-8f;

  private final List<State> states;
  private int steps;

  /** Of {@code parameters}, whose means start at zero. */
  Adam(List<Parameter> parameters) {
    states = parameters.stream().map(State::new).toList();
  }

  /** Changes every parameter by about {@code rate} against its gradient. */
  void step(double rate) {
    steps++;
    // The means of few steps are still near zero.
    float meanScale = (float) (rate / (1 - Math.pow(BETA1, steps)));
    float squareScale = (float) (1 / (1 - Math.pow(BETA2, steps)));
    for (State state : states) {
      state.step(meanScale, squareScale);
    }
  }

  /** A parameter, and running means of its gradient and of the squares of that. */
  private static final class State {
    private final Parameter parameter;
    private final float[][] means;
    private final float[][] squares;
    private final float[] value;
    private final float[] gradient;

    State(Parameter parameter) {
      int rows = parameter.value().rows();
      int columns = parameter.value().columns();
      this.parameter = parameter;
      means = new float[rows][columns];
      squares = new float[rows][columns];
      value = new float[columns];
      gradient = new float[columns];
    }

    void step(float meanScale, float squareScale) {
      for (int r = 0; r < means.length; r++) {
        float[] mean = means[r];
        float[] square = squares[r];
        parameter.value().get(r, value);
        parameter.gradient().get(r, gradient);
        for (int i = 0; i < value.length; i++) {
          float g = gradient[i];
          mean[i] += (1 - BETA1) * (g - mean[i]);
          square[i] += (1 - BETA2) * (g * g - square[i]);
          float deviation = (float) Math.sqrt(squareScale * square[i]);
          value[i] -= meanScale * mean[i] / (deviation + EPSILON);
        }
        parameter.value().set(r, value);
      }
    }
  }
}
