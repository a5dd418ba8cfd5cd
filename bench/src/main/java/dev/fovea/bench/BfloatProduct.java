package dev.fovea.bench;

import dev.fovea.Device.Isa;
import dev.fovea.testkit.Gaussian;
import java.util.EnumSet;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * oneDNN's product of two square matrices of bfloat16, by libtorch with all its threads: what the
 * processor's instructions for it give a tuned kernel at this moment.
 */
final class BfloatProduct {

  private static final Set<Isa> ISAS = EnumSet.of(Isa.AVX512_BF16, Isa.AMX);
  private static final int SAMPLES = 200;

  private final int n;
  private final Tensor a;
  private final Tensor b;

  /** Makes the matrices, {@code n} by {@code n}, and verifies their product. */
  BfloatProduct(int n) {
    this.n = n;
    a = random();
    b = random();
    verify();
  }

  /** Whether this process's tier has such instructions. */
  static boolean isThere() {
    return ISAS.contains(Machine.tier());
  }

  /** Operations of one {@link #run}. */
  double flops() {
    return 2.0 * n * n * n;
  }

  /** One product. */
  void run() {
    torch.mm(a, b).close();
  }

  private Tensor random() {
    try (Tensor floats = torch.randn(n, n)) {
      return floats.toType(ScalarType.BFloat16);
    }
  }

  private void verify() {
    float[] left = Libtorch.values(a);
    float[] right = Libtorch.values(b);
    float[] product;
    try (Tensor c = torch.mm(a, b)) {
      product = Libtorch.values(c);
    }
    Gaussian random = new Gaussian(2);
    for (int sample = 0; sample < SAMPLES; sample++) {
      int row = random.nextInt(n);
      int column = random.nextInt(n);
      double exact = 0;
      double absolute = 0;
      for (int k = 0; k < n; k++) {
        double term = (double) left[row * n + k] * right[k * n + column];
        exact += term;
        absolute += Math.abs(term);
      }
      float got = product[row * n + column];
      // Sums in float32, in any order, rounded once.
      if (!(Math.abs(got - exact) <= 0x1p-8 * Math.abs(exact) + n * 0x1p-24 * absolute)) {
        throw new WrongOutputException(
            "bfloat16 product: element (%d, %d) is %s, exact %s"
                .formatted(row, column, got, exact));
      }
    }
  }
}
