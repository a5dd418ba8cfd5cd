package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import org.junit.jupiter.api.Test;

/** The README's examples, which a test in bench/ holds against the README. */
class ReadmeExampleTest {
  @Test
  void forward() {
    // README: example
    Attention attention = Attention.builder().causal().window(1024, 0).build();
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.BFLOAT16, 2, 512, 16, 64); // batch, seq, heads, dim
      Tensor key = scope.allocate(DType.BFLOAT16, 2, 512, 4, 64); // grouped: 4 for 16 heads
      Tensor value = scope.allocate(DType.BFLOAT16, 2, 512, 4, 64);
      value.fill(1);

      Tensor out = attention.forward(scope, query, key, value);

      // Bound once and run often: nothing is planned or allocated again.
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 16, 512);
      AttentionCall call = attention.call(query, key, value).out(out).lse(lse);
      for (int step = 0; step < 3; step++) {
        call.run();
      }
      // end of README
      assertEquals(1, out.getFloat(1, 511, 15, 63));
      assertTrue(Math.abs(lse.getFloat(0, 0, 511) - Math.log(512)) < 1e-5);
    }
  }

  @Test
  void training() {
    // README: training
    Attention attention = Attention.builder().causal().dropout(0.1).build();
    try (Scope scope = Scope.open()) {
      Tensor qkv = scope.allocate(DType.FLOAT32, 8, 128, 3, 4, 64); // side by side: no copies
      Tensor dqkv = scope.allocate(DType.FLOAT32, 8, 128, 3, 4, 64);
      Tensor out = scope.allocate(DType.FLOAT32, 8, 128, 4, 64);
      Tensor dout = scope.allocate(DType.FLOAT32, 8, 128, 4, 64);
      Tensor lse = scope.allocate(DType.FLOAT32, 8, 4, 128);

      AttentionCall call =
          attention.call(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2)).out(out).lse(lse);
      AttentionBackward backward =
          call.gradients(dout)
              .dquery(dqkv.select(2, 0))
              .dkey(dqkv.select(2, 1))
              .dvalue(dqkv.select(2, 2));
      for (int step = 0; step < 3; step++) {
        qkv.fill(step); // your projection of the batch
        call.dropoutSeed(42, step).run();
        dout.fill(1); // your loss: its gradient in out
        backward.run(); // dqkv goes back through your projection
      }
      // end of README
      double dvalue = 0;
      for (int key = 0; key < 128; key++) {
        dvalue += dqkv.getFloat(7, key, 2, 3, 63);
      }
      double sum = 0;
      for (int row = 0; row < 128; row++) {
        sum += out.getFloat(7, row, 3, 63);
      }
      // Out is linear in value, which is 2 everywhere.
      assertEquals(sum, 2 * dvalue, 1e-3);
      assertTrue(dvalue > 100, "the gradient is " + dvalue);
    }
  }
}
