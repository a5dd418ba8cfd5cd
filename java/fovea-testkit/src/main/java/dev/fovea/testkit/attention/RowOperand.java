package dev.fovea.testkit.attention;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.Options.Bias;

/**
 * An operand with one element for a query row that changes the row's scores: [B or 1, Hq or 1, Sq
 * or 1].
 *
 * @param kind what it does
 * @param number that it is read with: sigma, or the ramp
 * @param shape which dimensions it has
 */
public record RowOperand(Kind kind, float number, Bias shape) {

  /** What the operand does. */
  public enum Kind {
    /** Adds -(j - center)^2 / (2 sigma^2). */
    GAUSSIAN("gaussian_centers", "gaussian_sigma", 0.5f, 3f, 20f, 100f) {
      @Override
      void configure(Attention.Builder builder, float sigma) {
        builder.gaussianSigma(sigma);
      }

      @Override
      void bind(AttentionCall call, Tensor centers) {
        call.gaussianCenters(centers);
      }

      @Override
      void bindGradient(AttentionBackward backward, Tensor dcenters) {
        backward.dgaussianCenters(dcenters);
      }

      @Override
      double added(double sigma, double center, long position, int key) {
        double distance = (key - center) / sigma;
        return -distance * distance / 2;
      }

      @Override
      double derivative(double sigma, double center, long position, int key) {
        return (key - center) / (sigma * sigma);
      }

      @Override
      float draw(Gaussian random, float sigma, int keys) {
        return (float) (keys * (1.2 * random.nextDouble() - 0.1));
      }
    },

    /** Adds the logarithm of what falls from 1 to 0 over the ramp. */
    SPAN("spans", "span_ramp", 1f, 4f, 32f, 100.5f) {
      @Override
      void configure(Attention.Builder builder, float ramp) {
        builder.spanRamp(ramp);
      }

      @Override
      void bind(AttentionCall call, Tensor spans) {
        call.spans(spans);
      }

      @Override
      void bindGradient(AttentionBackward backward, Tensor dspans) {
        backward.dspans(dspans);
      }

      @Override
      double added(double ramp, double span, long position, int key) {
        return Math.log(Math.clamp(left(ramp, span, position, key) / ramp, 0, 1));
      }

      @Override
      double derivative(double ramp, double span, long position, int key) {
        double left = left(ramp, span, position, key);
        return left > 0 && left < ramp ? 1 / left : 0;
      }

      private double left(double ramp, double span, long position, int key) {
        return ramp + span - (position - key);
      }

      /** A multiple of 1/64, as the ramp is: how far a key is from the end is exact in float32. */
      @Override
      float draw(Gaussian random, float ramp, int keys) {
        return random.between(-64 * (int) Math.ceil(ramp), 64 * keys) / 64f;
      }
    };

    private final String operand;
    private final String option;
    private final float[] numbers;

    Kind(String operand, String option, float... numbers) {
      this.operand = operand;
      this.option = option;
      this.numbers = numbers;
    }

    /** Its name in the declaration. */
    String operand() {
      return operand;
    }

    /** The name of its number there. */
    String option() {
      return option;
    }

    /** With one of a few numbers, of any shape. */
    RowOperand draw(Gaussian random) {
      float number = numbers[random.nextInt(numbers.length)];
      Bias[] shapes = Bias.values();
      return new RowOperand(this, number, shapes[1 + random.nextInt(shapes.length - 1)]);
    }

    abstract void configure(Attention.Builder builder, float number);

    abstract void bind(AttentionCall call, Tensor elements);

    abstract void bindGradient(AttentionBackward backward, Tensor elements);

    abstract double added(double number, double element, long position, int key);

    /** Of {@link #added}, by the element. */
    abstract double derivative(double number, double element, long position, int key);

    abstract float draw(Gaussian random, float number, int keys);
  }

  /** Sizes of the tensor and one behind them. */
  Layout layout(Style style, Geometry g) {
    return style.layout(
        shape.perBatch ? g.outerBatch() : 1,
        shape.perHead ? g.queryHeads() : 1,
        shape.perQuery ? g.queryRows() : 1,
        1);
  }

  /** Elements for all rows, NaN between and behind them. */
  float[] draw(AttentionCase c, Layout layout, Gaussian random) {
    Geometry g = c.geometry();
    int[] cu = g.cuQ();
    float[] buffer = Operands.poisoned(layout);
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int at = Operands.biasRow(c, layout, cu, b, h, i);
          if (Float.isNaN(buffer[at])) {
            buffer[at] = kind.draw(random, number, g.keyLength());
          }
        }
      }
    }
    return buffer;
  }

  @Override
  public String toString() {
    return kind + "/" + number + "/" + shape;
  }
}
