package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The bound of what tensor cores cut holds for them, emulated, and is needed. */
class TruncationTest {

  private static final int SUMS = 200;

  private static final List<TensorCore> SIXTEEN_BITS =
      List.of(TensorCore.AMPERE, TensorCore.HOPPER);

  /** How the products of a sum are made. */
  private enum Products {
    /** Of either sign. */
    RANDOM,
    /** The first outweighs all others. */
    ONE_LARGE,
    /** The sum rises by a binade every few steps, or falls. */
    GROWING,
    SHRINKING;

    double size(int k, int terms) {
      return switch (this) {
        case RANDOM -> 1;
        case ONE_LARGE -> k == 0 ? 2 * terms : 1;
        case GROWING -> Math.scalb(1.0, k / 24);
        case SHRINKING -> Math.scalb(1.0, -k / 24);
      };
    }
  }

  /** To nearest. */
  private static float round(DType type, double x) {
    return type == DType.FLOAT8_E4M3
        ? Quantization.value(type, Quantization.quantize(type, (float) x))
        : Rounding.round(type, x);
  }

  private record Sum(float[] a, float[] b, double exact, double sizes) {

    static Sum of(DType type, Products products, int terms, RandomGenerator random) {
      float[] a = new float[terms];
      float[] b = new float[terms];
      double exact = 0;
      double sizes = 0;
      for (int k = 0; k < terms; k++) {
        a[k] = round(type, random.nextGaussian());
        b[k] = (float) (round(type, random.nextGaussian()) * products.size(k, terms));
        exact += (double) a[k] * b[k];
        sizes += Math.abs((double) a[k] * b[k]);
      }
      return new Sum(a, b, exact, sizes);
    }
  }

  private static RandomGenerator random() {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(9);
  }

  /** What is allowed of a sum of float32 arithmetic, of either sign, in units of the sizes. */
  private static double float32(int terms) {
    return 2 * Math.sqrt(terms) * 0x1p-24;
  }

  /** The largest error of many sums, in units of the sizes of their terms. */
  private static double worst(DType type, TensorCore core, Products products, int terms) {
    RandomGenerator random = random();
    double worst = 0;
    for (int i = 0; i < SUMS; i++) {
      Sum sum = Sum.of(type, products, terms, random);
      float got = core.add(0, sum.a, sum.b, core.step);
      worst = Math.max(worst, Math.abs(got - sum.exact) / sum.sizes);
    }
    return worst;
  }

  @ParameterizedTest
  @EnumSource
  void tensorCoresStayBelowIt(Products products) {
    for (DType type : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
      for (int terms : new int[] {1, 2, 7, 8, 9, 16, 64, 256, 2000}) {
        double allowed = float32(terms) + Precision.TENSOR_CORE.truncation(type, false, terms);
        for (TensorCore core : SIXTEEN_BITS) {
          double worst = worst(type, core, products, terms);
          assertTrue(worst <= allowed, core + ", " + terms + ": " + worst + " of " + allowed);
        }
      }
    }
  }

  /** What is cut of a product of e4m3, at random, is beside what is cut of sums. */
  @ParameterizedTest
  @EnumSource
  void productsOfFloat8StayBelowIt(Products products) {
    for (int terms : new int[] {1, 2, 7, 31, 32, 33, 64, 128, 256, 512}) {
      double cut = 2 * Math.sqrt(terms) * Precision.FLOAT8_CUT;
      double allowed = cut + Precision.HOPPER.truncation(DType.FLOAT8_E4M3, false, terms);
      double worst = worst(DType.FLOAT8_E4M3, TensorCore.HOPPER_FLOAT8, products, terms);
      assertTrue(worst <= allowed, terms + ": " + worst + " of " + allowed);
      if (products == Products.ONE_LARGE && terms >= 64) {
        assertTrue(worst > cut / 8, terms + ": " + worst + " of " + allowed);
      }
    }
  }

  /** Constant data lose the same at every step. */
  @Test
  void constantProductsOfFloat8StayBelowIt() {
    double most = 0;
    for (int terms : new int[] {1, 8, 32, 64, 128, 512}) {
      for (float x = 1; x < 2; x += 0.125f) {
        for (float y = 1; y < 2; y += 0.125f) {
          float[] a = new float[terms];
          float[] b = new float[terms];
          Arrays.fill(a, x);
          Arrays.fill(b, y);
          TensorCore core = TensorCore.HOPPER_FLOAT8;
          double exact = (double) x * y * terms;
          double error = Math.abs(core.add(0, a, b, core.step) - exact) / exact;
          double cut = terms * Precision.FLOAT8_CUT;
          double allowed = cut + Precision.HOPPER.truncation(DType.FLOAT8_E4M3, false, terms);
          assertTrue(error <= allowed, terms + ": " + error + " of " + allowed);
          most = Math.max(most, error);
        }
      }
    }
    assertTrue(most > 4 * Precision.FLOAT8_CUT, "the largest error is " + most);
  }

  /** Without it a sum that one product outweighs would be too far off. */
  @Test
  void tensorCoresNeedIt() {
    double worst = worst(DType.FLOAT16, TensorCore.AMPERE, Products.ONE_LARGE, 100_000);
    assertTrue(worst > 2 * float32(100_000), "the largest error is " + worst);
    double allowed =
        float32(100_000) + Precision.TENSOR_CORE.truncation(DType.FLOAT16, false, 100_000);
    assertTrue(worst < allowed && worst > allowed / 10, worst + " of " + allowed);
  }

  /** Sizes must be those of aligned factors where one is below the normal numbers of float16. */
  @Test
  void subnormalFactorsAreCutAsIfTheyWereNormal() {
    RandomGenerator random = random();
    double worst = 0;
    double worstOfSizes = 0;
    for (int i = 0; i < SUMS; i++) {
      Factors a = new Factors(64, Precision.TENSOR_CORE.leastFactor(DType.FLOAT16));
      float[] tiny = new float[64];
      float[] usual = new float[64];
      double exact = 0;
      double sizes = 0;
      double aligned = 0;
      for (int k = 0; k < 64; k++) {
        tiny[k] = Rounding.round(DType.FLOAT16, Math.scalb(random.nextGaussian(), -22));
        usual[k] = Rounding.round(DType.FLOAT16, random.nextGaussian());
        a.set(k, tiny[k]);
        exact += (double) tiny[k] * usual[k];
        sizes += Math.abs((double) tiny[k] * usual[k]);
        aligned += a.size()[k] * Math.abs(usual[k]);
      }
      for (TensorCore core : SIXTEEN_BITS) {
        double error = Math.abs(core.add(0, tiny, usual, core.step, -14) - exact);
        worst = Math.max(worst, error / aligned);
        worstOfSizes = Math.max(worstOfSizes, error / sizes);
      }
    }
    double allowed = float32(64) + Precision.TENSOR_CORE.truncation(DType.FLOAT16, false, 64);
    assertTrue(worst < allowed && worstOfSizes > allowed, worst + ", " + worstOfSizes);
  }

  /** Eight columns of k, each factor as two of TF32: whatever their signs, and near at times. */
  @Test
  void productsOfFloat32StayBelowIt() {
    RandomGenerator random = random();
    double allowed = Precision.TENSOR_CORE.truncation(DType.FLOAT32, false, 1000);
    double worst = 0;
    for (int i = 0; i < 200_000; i++) {
      float[][] high = new float[2][8];
      float[][] low = new float[2][8];
      double exact = 0;
      double sizes = 0;
      for (int k = 0; k < 8; k++) {
        for (int side = 0; side < 2; side++) {
          float x = (float) Math.scalb(random.nextDouble(), -random.nextInt(8));
          high[side][k] = tf32(x);
          low[side][k] = tf32(x - high[side][k]);
        }
        exact += (double) high[0][k] * high[1][k];
        exact += (double) low[0][k] * high[1][k] + (double) high[0][k] * low[1][k];
        sizes += Math.abs((double) high[0][k] * high[1][k]);
      }
      float sum = TensorCore.AMPERE.add(0, low[0], high[1], 4);
      sum = TensorCore.AMPERE.add(sum, high[0], low[1], 4);
      sum = TensorCore.AMPERE.add(sum, high[0], high[1], 4);
      worst = Math.max(worst, Math.abs(sum - exact) / sizes);
    }
    assertTrue(worst < allowed && worst > allowed / 3, worst + " of " + allowed);
  }

  private static float tf32(float x) {
    return Float.intBitsToFloat((Float.floatToRawIntBits(x) + 0x1000) & ~0x1fff);
  }

  @Test
  void theCpuAddsInFloat32() {
    for (DType type : TestDevice.TYPES) {
      assertEquals(0, Precision.CPU.truncation(type, true, 1000));
    }
  }
}
