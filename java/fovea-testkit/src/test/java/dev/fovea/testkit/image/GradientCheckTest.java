package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The gradients of the oracles against directional derivatives of their forward passes. Operands
 * are 16-bit numbers and steps powers of two, so that x - h and x + h are exact in float; what
 * differs is the fourth power of h. Cases whose relu turns within a step are left out, and counted.
 */
class GradientCheckTest {

  private static final int CASES = 150;
  private static final double STEP = 0x1p-9;
  private static final double TRUNCATION = 1e-6;
  private static final List<String> WITH_GRADIENT =
      List.of("x", "weight1", "bias1", "weight2", "bias2", "weight", "bias");

  private static ImageCase draw(Kind kind, boolean backward, int index) {
    Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
    CaseBuilder c = new CaseBuilder(kind).dtype(DType.BFLOAT16).outDType(DType.FLOAT32);
    c.content(ImageCase.Content.NORMAL, index);
    c.sizes(
        random.between(1, 4),
        random.between(1, 6),
        random.between(1, 6),
        random.between(1, 6),
        kind == Kind.CHANNEL ? random.between(1, 6) : random.among(1, 3, 5));
    c.style("x", random.pick(ImageStyle.DENSE, ImageStyle.CHANNELS_LAST));
    return backward ? c.backward(DType.FLOAT32).build() : c.build();
  }

  /** Of few bits, like x. */
  private static Operands shortened(Operands drawn) {
    Map<String, float[]> few = new HashMap<>();
    drawn
        .all()
        .forEach(
            (name, values) -> {
              float[] copy = values.clone();
              for (int i = 0; i < copy.length; i++) {
                copy[i] = Rounding.round(DType.BFLOAT16, copy[i]);
              }
              few.put(name, copy);
            });
    return new Operands(few);
  }

  /** sum dout * out, with an operand moved by so much of a direction. */
  private static double loss(
      ImageCase c, ImageCase forward, Operands data, String which, float[] way, double factor) {
    float[] moved = data.get(which).clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (factor * way[i]);
    }
    Map<String, float[]> all = new HashMap<>(data.all());
    all.put(which, moved);
    Operands there = new Operands(all);
    Expected out = forward.expected(there).get("out");
    ImageSizes s = c.sizes();
    double loss = 0;
    for (int n = 0; n < s.batch(); n++) {
      for (int channel = 0; channel < s.channels(); channel++) {
        for (int p = 0; p < s.pixels(); p++) {
          double value = out.value(Operands.at(forward.layout("out"), s, n, channel, p));
          loss += value * data.pixel("dout", c, n, channel, p);
        }
      }
    }
    return loss;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void gradientsAreDerivatives(Kind kind) {
    int compared = 0;
    int turned = 0;
    for (int index = 0; index < CASES; index++) {
      ImageCase c = draw(kind, true, index);
      ImageCase forward = draw(kind, false, index);
      Operands data = shortened(Operands.of(c));
      Map<String, Expected> gradients = c.expected(data);
      for (Operand operand : kind.table().operands(Abi.FORWARD)) {
        String name = operand.name();
        if (!WITH_GRADIENT.contains(name)) {
          continue;
        }
        Gaussian random = new Gaussian(Gaussian.mix(index * 100L + name.hashCode()));
        float[] way = new float[data.get(name).length];
        for (int i = 0; i < way.length; i++) {
          way[i] = random.between(-1, 1);
        }
        if (kind == Kind.SPATIAL && name.equals("x")) {
          keepMaxima(c, data, way);
        }
        double there = along(c, gradients.get("d" + name), name, way);
        double near = slope(c, forward, data, name, way, STEP);
        double far = slope(c, forward, data, name, way, 2 * STEP);
        double derivative = (4 * near - far) / 3; // Richardson
        double scale = Math.max(1, Math.abs(derivative));
        if (Math.abs(near - far) > 1e-3 * scale) {
          turned++;
          continue;
        }
        compared++;
        assertEquals(derivative, there, TRUNCATION * 100 * scale, c + " d" + name);
      }
    }
    assertTrue(turned < compared / 4, turned + " turned, " + compared + " compared");
  }

  /** No step along the direction moves a maximum to another channel. */
  private static void keepMaxima(ImageCase c, Operands data, float[] way) {
    ImageSizes s = c.sizes();
    for (int n = 0; n < s.batch(); n++) {
      for (int p = 0; p < s.pixels(); p++) {
        double[] all = new double[s.channels()];
        for (int channel = 0; channel < all.length; channel++) {
          all[channel] = data.pixel("x", c, n, channel, p);
        }
        Arrays.sort(all);
        if (all.length > 1 && all[all.length - 1] - all[all.length - 2] <= 4 * STEP) {
          for (int channel = 0; channel < all.length; channel++) {
            way[Operands.at(c.layout("x"), s, n, channel, p)] = 0;
          }
        }
      }
    }
  }

  private static double slope(
      ImageCase c, ImageCase forward, Operands data, String which, float[] way, double step) {
    return (loss(c, forward, data, which, way, step) - loss(c, forward, data, which, way, -step))
        / (2 * step);
  }

  /** The gradient along a direction; both have one buffer for each element, in the same order. */
  private static double along(ImageCase c, Expected gradient, String name, float[] way) {
    double sum = 0;
    if (!name.equals("x")) {
      for (int i = 0; i < way.length; i++) {
        sum += gradient.value(i) * way[i];
      }
      return sum;
    }
    ImageSizes s = c.sizes();
    for (int n = 0; n < s.batch(); n++) {
      for (int channel = 0; channel < s.channels(); channel++) {
        for (int p = 0; p < s.pixels(); p++) {
          double value = gradient.value(Operands.at(c.layout("dx"), s, n, channel, p));
          sum += value * way[Operands.at(c.layout("x"), s, n, channel, p)];
        }
      }
    }
    return sum;
  }
}
