package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.image.ImageCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Gaps between elements are NaN. Those of a backward pass hold what gradients that are
 * added to hold before, too.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float HEAVY_FACTOR = 30;
  private static final float TINY_FACTOR = 1e-6f;
  private static final int DISTINCT = 4; // values of ties

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The index of an element of an image, pixels counted row after row. */
  static int at(Layout layout, ImageSizes s, int n, int channel, int pixel) {
    return layout.at(new long[] {n, channel, pixel / s.width(), pixel % s.width()});
  }

  double pixel(String operand, ImageCase c, int n, int channel, int pixel) {
    return all.get(operand)[at(c.layout(operand), c.sizes(), n, channel, pixel)];
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(ImageCase c) {
    Map<String, float[]> all = new HashMap<>();
    int salt = 0;
    for (Operand operand : c.kind().table().operands(c.isBackward() ? Abi.BACKWARD : Abi.FORWARD)) {
      salt++;
      boolean read = !operand.written();
      boolean held = operand.written() && c.isBackward() && c.gradients().accumulate();
      if (c.has(operand.name()) && (read || held && !operand.name().equals("dx"))) {
        all.put(operand.name(), draw(c, operand, salt));
      }
    }
    plant(c, all);
    return new Operands(all);
  }

  private static Gaussian random(ImageCase c, int salt) {
    return new Gaussian(Gaussian.mix(c.dataSeed() * 16 + salt));
  }

  private static float[] draw(ImageCase c, Operand operand, int salt) {
    Layout layout = c.layout(operand.name());
    float[] buffer = new float[layout.elements()];
    Arrays.fill(buffer, Float.NaN);
    Gaussian random = random(c, salt);
    DType type = c.type(operand);
    boolean x = operand.name().equals("x");
    boolean weight = operand.name().startsWith("weight");
    float factor =
        x && c.content() == Content.TINY
            ? TINY_FACTOR
            : weight && c.content() == Content.HEAVY ? HEAVY_FACTOR : 1;
    // As layers are initialised: gates that are not all 0 or 1.
    factor *= weight ? (float) (1 / Math.sqrt(Math.max(1, terms(c, operand)))) : 1;
    Float constant =
        c.content() == Content.CONSTANT ? Rounding.round(type, random.nextNormal() * factor) : null;
    long[] size = layout.size();
    long[] index = new long[size.length - 1];
    long rows = layout.isEmpty() ? 0 : product(size, index.length);
    for (long row = 0; row < rows; row++) {
      long left = row;
      for (int dim = index.length - 1; dim >= 0; dim--) {
        index[dim] = left % size[dim];
        left /= size[dim];
      }
      int at = layout.at(index);
      if (!Float.isNaN(buffer[at])) {
        continue; // others share its memory
      }
      for (int i = 0; i < size[index.length]; i++) {
        float drawn = random.nextNormal();
        if (c.content() == Content.OUTLIERS && random.nextInt(1000) == 0) {
          drawn *= 10;
        }
        if (x && c.content() == Content.TIES) {
          drawn = random.nextInt(DISTINCT) - 1;
        }
        buffer[at + i] = constant != null ? constant : Rounding.round(type, drawn * factor);
      }
    }
    return buffer;
  }

  /** Of the sum that a weight is a factor of. */
  private static double terms(ImageCase c, Operand operand) {
    return switch (operand.name()) {
      case "weight1" -> c.sizes().channels();
      case "weight2" -> c.sizes().inner();
      default -> c.sizes().inner() * c.sizes().inner();
    };
  }

  private static long product(long[] size, int dims) {
    long product = 1;
    for (int i = 0; i < dims; i++) {
      product *= size[i];
    }
    return product;
  }

  private static void plant(ImageCase c, Map<String, float[]> all) {
    ImageSizes s = c.sizes();
    Gaussian random = random(c, 15);
    switch (c.content()) {
      case NAN_IN_X, INFINITY_IN_X -> {
        if (s.batch() > 0) {
          int at =
              at(
                  c.layout("x"),
                  s,
                  random.nextInt(s.batch()),
                  random.nextInt(s.channels()),
                  random.nextInt(s.pixels()));
          float infinity =
              random.pick(Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY).floatValue();
          all.get("x")[at] = c.content() == Content.NAN_IN_X ? Float.NaN : infinity;
        }
      }
      case NAN_IN_WEIGHT -> {
        String name =
            c.kind() == ImageCase.Kind.SPATIAL ? "weight" : random.pick("weight1", "weight2");
        Layout layout = c.layout(name);
        long[] index = new long[layout.stride().length];
        for (int dim = 0; dim < index.length; dim++) {
          index[dim] = random.nextInt((int) layout.size()[dim]);
        }
        int column = random.nextInt((int) layout.size()[index.length]);
        all.get(name)[layout.at(index) + column] = Float.NaN;
      }
      default -> {}
    }
  }
}
