package dev.fovea.testkit.optimizer;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.optimizer.OptimizerCase.Numbers;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A step in float32, rounding by rounding in the order of fovea.h: what every backend must give bit
 * for bit, but for what a NaN carries. Java rounds each operation to nearest, and fuses none.
 */
public final class Rounded {

  private final OptimizerCase c;
  private final float[] rates;
  private float parameter;
  private float mean;
  private float square;

  private Rounded(OptimizerCase c, Operands data) {
    this.c = c;
    rates = data.get("rates");
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(OptimizerCase c, Operands data) {
    Map<String, Expected> all = new LinkedHashMap<>();
    for (String name : new String[] {"parameter", "mean", "square", "out"}) {
      if (c.has(name)) {
        DType type = name.equals("out") ? c.outDType() : DType.FLOAT32;
        all.put(name, new Expected(type, c.layout(name).elements()));
      }
    }
    Rounded state = new Rounded(c, data);
    for (int row = 0; row < c.sizes().batch(); row++) {
      for (int i = 0; i < c.sizes().count(); i++) {
        int at = i;
        int in = row;
        state.parameter = data.get("parameter")[c.at("parameter", row, i)];
        state.mean = c.has("mean") ? data.get("mean")[c.at("mean", row, i)] : 0;
        state.square = c.has("square") ? data.get("square")[c.at("square", row, i)] : 0;
        state.step(data.get("gradient")[c.at("gradient", row, i)]);
        all.forEach(
            (name, expected) -> expected.expect(c.at(name, in, at), state.of(name, expected), 0));
      }
    }
    return all;
  }

  private float of(String name, Expected expected) {
    return switch (name) {
      case "mean" -> mean;
      case "square" -> square;
      default -> Rounding.round(expected.dtype(), parameter);
    };
  }

  private void step(float gradient) {
    Numbers n = c.numbers();
    float rate = rates[0];
    float g = gradient * rates[3];
    switch (c.rule()) {
      case SGD, MOMENTUM, NESTEROV -> {
        if (n.weightDecay() != 0) {
          g = g + parameter * n.weightDecay();
        }
        float way = g;
        if (c.rule().hasMean()) {
          mean = mean * n.beta1() + g;
          way = c.rule() == OptimizerCase.Rule.NESTEROV ? g + mean * n.beta1() : mean;
        }
        parameter = parameter - way * rate;
      }
      case ADAMW -> {
        mean = mean * n.beta1() + g * (1 - n.beta1());
        square = square * n.beta2() + g * (1 - n.beta2()) * g;
        float root = (float) Math.sqrt(square * rates[2]) + n.epsilon();
        float kept = parameter * (1 - rate * n.weightDecay());
        parameter = kept - mean * (rate * rates[1]) / root;
      }
      case LION -> {
        float way = sign(mean * n.beta1() + g * (1 - n.beta1()));
        parameter = parameter * (1 - rate * n.weightDecay()) - way * rate;
        mean = mean * n.beta2() + g * (1 - n.beta2());
      }
    }
  }

  private static float sign(float x) {
    return x > 0 ? 1 : x < 0 ? -1 : x;
  }
}
