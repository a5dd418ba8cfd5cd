package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import org.junit.jupiter.api.Test;

/** The README's example, which a test in bench/ holds against the README. */
class ReadmeExampleTest {
  @Test
  void runs() {
    // README
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
}
