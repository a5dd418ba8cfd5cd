package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Nvrtc;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Kernels with a score modifier are machine code, where there is a compiler; no device is needed.
 */
class ModifierCompilerTest {
  private static final int CAPABILITY = 90;

  /** The general kernels of float16 with head dim 64. */
  private static final int FORWARD = 6;

  private static final int BACKWARD = 5;

  private static final ScoreModifier SOME =
      ScoreModifier.of(
          (score, at) ->
              score
                  .dividedBy(30)
                  .tanh()
                  .times(30)
                  .plus(at.table(0).times(at.key().minus(at.query()))));

  @BeforeAll
  static void compiler() {
    try {
      Nvrtc.get();
    } catch (UnsupportedOperationException e) {
      assumeTrue(false, e.getMessage());
    }
  }

  private static String names(int pass, int variant) {
    byte[] image = ModifierCompiler.image(CAPABILITY, pass, variant, SOME.program());
    assertEquals(
        "\u007fELF", new String(image, 0, 4, java.nio.charset.StandardCharsets.ISO_8859_1));
    return new String(image, java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  @Test
  void theForwardKernelIsCompiled() {
    assertTrue(names(Abi.FORWARD, FORWARD).contains("modified_forward"));
  }

  @Test
  void theBackwardKernelsAreCompiled() {
    String names = names(Abi.BACKWARD, BACKWARD);
    for (String kernel : new String[] {"statistics", "keys", "queries", "bias", "row_operands"}) {
      assertTrue(names.contains("modified_" + kernel), kernel);
    }
  }
}
