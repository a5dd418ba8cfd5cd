package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Sigmoid;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive channel attention in float64 over the exact values of the operands, by the formulas of
 * fovea.h, with the error that a right kernel may make. Nothing here is tiled or shared with any
 * backend.
 *
 * <p>Bounds: those of {@link Terms} for means, products of layers and their transposes, and of
 * {@link Sigmoid} for gates, each from the errors of what it is made of; a bias adds a rounding.
 * relu passes errors on, and where z is within its own of 0 nobody can say whether its gradient is
 * that of z or 0. out is x times the gate, rounded once; dx errs by |dout| times the gate's error,
 * that of the mean's gradient over H W, and four roundings of both.
 */
public final class ChannelOracle {

  private final ImageCase c;
  private final Operands data;
  private final ImageSizes s;
  private final Map<String, Expected> outputs = new LinkedHashMap<>();
  private final Terms dweight1;
  private final Terms dbias1;
  private final Terms dweight2;
  private final Terms dbias2;

  private ChannelOracle(ImageCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
    dweight1 = new Terms(s.inner() * s.channels());
    dbias1 = new Terms(s.inner());
    dweight2 = new Terms(s.inner() * s.channels());
    dbias2 = new Terms(s.channels());
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(ImageCase c, Operands data) {
    return new ChannelOracle(c, data).run();
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
    expect("dweight1", dweight1);
    expect("dbias1", dbias1);
    expect("dweight2", dweight2);
    expect("dbias2", dbias2);
    return outputs;
  }

  private Expected output(String name, DType type) {
    Expected output = new Expected(type, c.layout(name).elements());
    outputs.put(name, output);
    return output;
  }

  private void expect(String name, Terms sums) {
    if (!c.has(name)) {
      return;
    }
    Expected output = output(name, DType.FLOAT32);
    Layout layout = c.layout(name);
    int columns = (int) layout.size()[layout.stride().length];
    for (int i = 0; i < sums.value.length; i++) {
      int row = layout.stride().length == 0 ? layout.at() : layout.at(new long[] {i / columns});
      sums.expect(i, c, output, row + i % columns, data.get(name));
    }
  }

  private double weight(String name, int row, int column) {
    return data.get(name)[c.layout(name).at(new long[] {row}) + column];
  }

  private double bias(String name, int i) {
    return c.has(name) ? data.get(name)[c.layout(name).at() + i] : 0;
  }

  /** One image. */
  private final class Image {
    private final int n;
    private final double[] mean = new double[s.channels()];
    private final double[] meanError = new double[s.channels()];
    private final double[] z1 = new double[s.inner()];
    private final double[] z1Error = new double[s.inner()];
    private final double[] hidden = new double[s.inner()];
    private final double[] z2 = new double[s.channels()];
    private final double[] z2Error = new double[s.channels()];

    Image(int n) {
      this.n = n;
      Terms sums = new Terms(s.channels());
      for (int ch = 0; ch < s.channels(); ch++) {
        for (int p = 0; p < s.pixels(); p++) {
          sums.add(ch, data.pixel("x", c, n, ch, p));
        }
        mean[ch] = sums.value[ch] / s.pixels();
        meanError[ch] = sums.error(ch, c) / s.pixels();
      }
      layer("weight1", "bias1", mean, meanError, z1, z1Error);
      for (int r = 0; r < s.inner(); r++) {
        hidden[r] = z1[r] <= 0 ? 0 : z1[r];
      }
      layer("weight2", "bias2", hidden, z1Error, z2, z2Error);
    }

    private void layer(
        String weight, String bias, double[] in, double[] inError, double[] z, double[] zError) {
      Terms sums = new Terms(z.length);
      for (int r = 0; r < z.length; r++) {
        for (int k = 0; k < in.length; k++) {
          double w = weight(weight, r, k);
          sums.add(r, w * in[k], Math.abs(w) * inError[k]);
        }
        z[r] = sums.value[r] + bias(bias, r);
        zError[r] = sums.error(r, c) + Sigmoid.UNIT * Math.abs(z[r]);
      }
    }

    void forward() {
      Layout layout = c.layout("out");
      for (int ch = 0; ch < s.channels(); ch++) {
        double gate = Sigmoid.of(z2[ch]);
        double error = Sigmoid.error(z2[ch], z2Error[ch]);
        for (int p = 0; p < s.pixels(); p++) {
          double x = data.pixel("x", c, n, ch, p);
          Terms.expect(
              outputs.get("out"), Operands.at(layout, s, n, ch, p), x * gate, Math.abs(x) * error);
        }
      }
    }

    void backward() {
      Terms products = new Terms(s.channels());
      double[] dz2 = new double[s.channels()];
      double[] dz2Error = new double[s.channels()];
      for (int ch = 0; ch < s.channels(); ch++) {
        for (int p = 0; p < s.pixels(); p++) {
          products.add(ch, data.pixel("dout", c, n, ch, p) * data.pixel("x", c, n, ch, p));
        }
        double product = products.value[ch];
        dz2[ch] = Sigmoid.gradient(product, z2[ch]);
        dz2Error[ch] = Sigmoid.gradientError(product, products.error(ch, c), z2[ch], z2Error[ch]);
      }
      double[] dz1 = new double[s.inner()];
      double[] dz1Error = new double[s.inner()];
      transposed("weight2", dz2, dz2Error, dz1, dz1Error);
      for (int r = 0; r < s.inner(); r++) {
        if (Math.abs(z1[r]) <= z1Error[r] && z1Error[r] > 0 && !Double.isInfinite(z1[r])) {
          dz1Error[r] += Math.abs(dz1[r]);
        } else if (z1[r] <= 0) {
          dz1Error[r] = 0;
        }
        dz1[r] = z1[r] <= 0 ? 0 : dz1[r];
      }
      double[] dmean = new double[s.channels()];
      double[] dmeanError = new double[s.channels()];
      transposed("weight1", dz1, dz1Error, dmean, dmeanError);
      for (int ch = 0; ch < s.channels(); ch++) {
        expectChannel(ch, dmean[ch] / s.pixels(), dmeanError[ch] / s.pixels());
        dbias2.add(ch, dz2[ch], dz2Error[ch]);
      }
      for (int r = 0; r < s.inner(); r++) {
        dbias1.add(r, dz1[r], dz1Error[r]);
        for (int ch = 0; ch < s.channels(); ch++) {
          dweight1.add(
              r * s.channels() + ch,
              dz1[r] * mean[ch],
              both(dz1[r], dz1Error[r], mean[ch], meanError[ch]));
          dweight2.add(
              ch * s.inner() + r,
              dz2[ch] * hidden[r],
              both(dz2[ch], dz2Error[ch], hidden[r], z1Error[r]));
        }
      }
    }

    /** What a product may be off by where both factors are. */
    private static double both(double a, double aError, double b, double bError) {
      return Math.abs(a) * bError + aError * (Math.abs(b) + bError);
    }

    private void transposed(
        String weight, double[] in, double[] inError, double[] out, double[] outError) {
      Terms sums = new Terms(out.length);
      for (int k = 0; k < out.length; k++) {
        for (int r = 0; r < in.length; r++) {
          double w = weight(weight, r, k);
          sums.add(k, w * in[r], Math.abs(w) * inError[r]);
        }
        out[k] = sums.value[k];
        outError[k] = sums.error(k, c);
      }
    }

    private void expectChannel(int ch, double add, double addError) {
      Layout layout = c.layout("dx");
      double gate = Sigmoid.of(z2[ch]);
      double gateError = Sigmoid.error(z2[ch], z2Error[ch]);
      for (int p = 0; p < s.pixels(); p++) {
        double dout = data.pixel("dout", c, n, ch, p);
        double error =
            Math.abs(dout) * gateError
                + addError
                + 4 * Sigmoid.UNIT * (Math.abs(dout * gate) + Math.abs(add))
                + Sigmoid.FLUSHED;
        Terms.expect(outputs.get("dx"), Operands.at(layout, s, n, ch, p), dout * gate + add, error);
      }
    }
  }
}
