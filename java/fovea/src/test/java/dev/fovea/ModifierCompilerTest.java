package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Nvrtc;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kernels with a score modifier are machine code, where there is a compiler; no device is needed.
 */
class ModifierCompilerTest {
  private static final int CAPABILITY = 90;

  /** The general kernels of float16 with head dim 64, and those with keys of distances. */
  private static final int FORWARD = 6;

  private static final int BACKWARD = 5;
  private static final int POSITION_FORWARD = 30;
  private static final int POSITION_BACKWARD = 19;

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

  @ParameterizedTest
  @ValueSource(ints = {FORWARD, POSITION_FORWARD})
  void theForwardKernelIsCompiled(int variant) {
    assertTrue(names(Abi.FORWARD, variant).contains("modified_forward"));
  }

  @ParameterizedTest
  @ValueSource(ints = {BACKWARD, POSITION_BACKWARD})
  void theBackwardKernelsAreCompiled(int variant) {
    String names = names(Abi.BACKWARD, variant);
    for (String kernel :
        new String[] {"statistics", "keys", "positions", "queries", "bias", "row_operands"}) {
      assertTrue(names.contains("modified_" + kernel), kernel);
    }
  }
}
