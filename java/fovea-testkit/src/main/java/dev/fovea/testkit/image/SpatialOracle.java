package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Sigmoid;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive spatial attention in float64 over the exact values of the operands, by the formulas of
 * fovea.h, with the error that a right kernel may make. Nothing here is tiled or shared with any
 * backend.
 *
 * <p>Bounds: those of {@link Terms} for the mean, the convolution and its transpose, and of {@link
 * Sigmoid} for gates, each from the errors of what it is made of; the maximum is exact, and so is
 * the channel that has it. A zero outside of the image is multiplied like any other. out is x times
 * the gate, rounded once; dx errs by |dout| times the gate's error, those of the gradients of the
 * maps, and four roundings of all.
 */
public final class SpatialOracle {

  private final ImageCase c;
  private final Operands data;
  private final ImageSizes s;
  private final int size; // K
  private final Map<String, Expected> outputs = new LinkedHashMap<>();
  private final Terms dweight;
  private final Terms dbias = new Terms(1);

  private SpatialOracle(ImageCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
    size = s.inner();
    dweight = new Terms(ImageSizes.MAPS * size * size);
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(ImageCase c, Operands data) {
    return new SpatialOracle(c, data).run();
  }

  private Map<String, Expected> run() {
    if (!c.isBackward()) {
      output("out", c.outDType());
      for (int n = 0; n < s.batch(); n++) {
        new Image(n).forward();
      }
      return outputs;
    }
    output("dx", c.gradients().dtype());
    for (int n = 0; n < s.batch(); n++) {
      new Image(n).backward();
    }
    if (c.has("dweight")) {
      output("dweight", DType.FLOAT32);
      for (int k = 0; k < dweight.value.length; k++) {
        dweight.expect(k, c, outputs.get("dweight"), weightAt("dweight", k), data.get("dweight"));
      }
    }
    if (c.has("dbias")) {
      output("dbias", DType.FLOAT32);
      dbias.expect(0, c, outputs.get("dbias"), c.layout("dbias").at(), data.get("dbias"));
    }
    return outputs;
  }

  private void output(String name, DType type) {
    outputs.put(name, new Expected(type, c.layout(name).elements()));
  }

  private int weightAt(String name, int k) {
    return c.layout(name).at(new long[] {k / (size * size), k / size % size}) + k % size;
  }

  /** One image. */
  private final class Image {
    private final int n;
    private final double[][] map = new double[ImageSizes.MAPS][s.pixels()];
    private final double[] meanError = new double[s.pixels()];
    private final int[] highest = new int[s.pixels()];
    private final double[] z = new double[s.pixels()];
    private final double[] zError = new double[s.pixels()];
    private final double[] weight = new double[ImageSizes.MAPS * size * size];

    Image(int n) {
      this.n = n;
      for (int k = 0; k < weight.length; k++) {
        weight[k] = data.get("weight")[weightAt("weight", k)];
      }
      Terms sums = new Terms(s.pixels());
      for (int p = 0; p < s.pixels(); p++) {
        map[1][p] = Double.NEGATIVE_INFINITY;
        for (int ch = 0; ch < s.channels(); ch++) {
          double x = data.pixel("x", c, n, ch, p);
          sums.add(p, x);
          if (x > map[1][p]) {
            highest[p] = ch;
          }
          map[1][p] = Math.max(map[1][p], x);
        }
        map[0][p] = sums.value[p] / s.channels();
        meanError[p] = sums.error(p, c) / s.channels();
      }
      double bias = c.has("bias") ? data.get("bias")[c.layout("bias").at()] : 0;
      Terms products = new Terms(s.pixels());
      for (int p = 0; p < s.pixels(); p++) {
        for (int k = 0; k < weight.length; k++) {
          int q = neighbour(p, k, 1);
          int m = k / (size * size);
          double error = m == 0 && q >= 0 ? Math.abs(weight[k]) * meanError[q] : 0;
          products.add(p, weight[k] * (q < 0 ? 0 : map[m][q]), error);
        }
        z[p] = products.value[p] + bias;
        zError[p] = products.error(p, c) + Sigmoid.UNIT * (Math.abs(z[p]) + Math.abs(bias));
      }
    }

    /** The pixel that element k of the weight leads to, or back from; -1 outside of the image. */
    private int neighbour(int p, int k, int way) {
      int h = p / s.width() + way * (k / size % size - size / 2);
      int w = p % s.width() + way * (k % size - size / 2);
      boolean inside = h >= 0 && h < s.height() && w >= 0 && w < s.width();
      return inside ? h * s.width() + w : -1;
    }

    void forward() {
      Layout layout = c.layout("out");
      for (int p = 0; p < s.pixels(); p++) {
        double gate = Sigmoid.of(z[p]);
        double error = Sigmoid.error(z[p], zError[p]);
        for (int ch = 0; ch < s.channels(); ch++) {
          double x = data.pixel("x", c, n, ch, p);
          Terms.expect(
              outputs.get("out"), Operands.at(layout, s, n, ch, p), x * gate, Math.abs(x) * error);
        }
      }
    }

    void backward() {
      double[] dz = new double[s.pixels()];
      double[] dzError = new double[s.pixels()];
      Terms products = new Terms(s.pixels());
      for (int p = 0; p < s.pixels(); p++) {
        for (int ch = 0; ch < s.channels(); ch++) {
          products.add(p, data.pixel("dout", c, n, ch, p) * data.pixel("x", c, n, ch, p));
        }
        double product = products.value[p];
        dz[p] = Sigmoid.gradient(product, z[p]);
        dzError[p] = Sigmoid.gradientError(product, products.error(p, c), z[p], zError[p]);
        dbias.add(0, dz[p], dzError[p]);
      }
      Terms[] dmap = {new Terms(s.pixels()), new Terms(s.pixels())};
      for (int p = 0; p < s.pixels(); p++) {
        for (int k = 0; k < weight.length; k++) {
          int m = k / (size * size);
          int from = neighbour(p, k, -1);
          if (from >= 0) {
            dmap[m].add(p, weight[k] * dz[from], Math.abs(weight[k]) * dzError[from]);
          }
          int q = neighbour(p, k, 1);
          double value = q < 0 ? 0 : map[m][q];
          double valueError = m == 0 && q >= 0 ? meanError[q] : 0;
          dweight.add(
              k,
              dz[p] * value,
              Math.abs(dz[p]) * valueError + dzError[p] * (Math.abs(value) + valueError));
        }
      }
      for (int p = 0; p < s.pixels(); p++) {
        expectPixel(p, dmap);
      }
    }

    private void expectPixel(int p, Terms[] dmap) {
      Layout layout = c.layout("dx");
      double gate = Sigmoid.of(z[p]);
      double gateError = Sigmoid.error(z[p], zError[p]);
      double add = dmap[0].value[p] / s.channels();
      double addError = dmap[0].error(p, c) / s.channels();
      for (int ch = 0; ch < s.channels(); ch++) {
        double dout = data.pixel("dout", c, n, ch, p);
        double most = ch == highest[p] ? dmap[1].value[p] : 0;
        double error =
            Math.abs(dout) * gateError
                + addError
                + (ch == highest[p] ? dmap[1].error(p, c) : 0)
                + 4 * Sigmoid.UNIT * (Math.abs(dout * gate) + Math.abs(add) + Math.abs(most))
                + Sigmoid.FLUSHED;
        Terms.expect(
            outputs.get("dx"), Operands.at(layout, s, n, ch, p), dout * gate + add + most, error);
      }
    }
  }
}
