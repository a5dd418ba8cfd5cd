package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Dropout is for training, where each step has a seed; without one it would be a fixed mask. */
class DropoutSeedTest {
  private final Attention attention = Attention.builder().causal().dropout(0.5).build();
  private final Scope scope = Scope.open();
  private final Operands operands = Operands.in(scope);
  private final Tensor lse = scope.allocate(DType.FLOAT32, 1, 4, 128);

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private float[] forward(Attention attention) {
    return attention
        .forward(scope, operands.query(), operands.key(), operands.value())
        .toFloatArray();
  }

  private float[] forward(long seed, int offset) {
    return attention
        .forward(scope, operands.query(), operands.key(), operands.value(), seed, offset)
        .toFloatArray();
  }

  private static void assertSeedless(Executable run) {
    assertEquals(
        "there is dropout but no seed: set dropoutSeed, or give forward one, anew for each step;"
            + " eval() is the same without dropout",
        assertThrows(IllegalStateException.class, run).getMessage());
  }

  @Test
  void withoutASeedNothingRuns() {
    AttentionCall call = operands.call(attention).lse(lse);
    assertSeedless(() -> forward(attention));
    assertSeedless(call::run);
    assertSeedless(() -> call.forward(scope));
    assertSeedless(() -> call.gradients(operands.out(), operands.out(), lse).backward(scope));
    assertSeedless(
        () ->
            attention.backward(
                scope,
                operands.out(),
                operands.query(),
                operands.key(),
                operands.value(),
                operands.out(),
                lse));
    call.plan();
    call.dropoutSeed(0, 0).run();
    call.gradients(operands.out()).backward(scope);
    call.gradients(operands.out(), operands.out(), lse).backward(scope);
  }

  @Test
  void aSeedAndAnOffsetNameWhatIsDropped() {
    float[] first = forward(42, 1);
    assertArrayEquals(first, forward(42, 1));
    assertFalse(Arrays.equals(first, forward(42, 2)));
    assertFalse(Arrays.equals(first, forward(43, 1)));
    operands.call(attention).dropoutSeed(42, 1).run();
    assertArrayEquals(first, operands.out().toFloatArray());
  }

  @Test
  void evalIsTheSameAttentionWithoutDropout() {
    Attention eval = attention.eval();
    assertSame(eval, attention.eval(), "and keeps its plans");
    assertSame(eval, eval.eval());
    assertEquals(Attention.builder().causal().build(), eval);
    assertTrue(attention.toString().contains("dropout"));
    float[] out = forward(eval);
    assertArrayEquals(out, forward(Attention.builder().causal().build()));
    assertFalse(Arrays.equals(out, forward(0, 0)));
    assertArrayEquals(
        out,
        eval.forward(scope, operands.query(), operands.key(), operands.value(), 1, 2)
            .toFloatArray(),
        "a seed without dropout changes nothing");
  }

  /** Every option but dropout is as it was. */
  @Test
  void evalKeepsEveryOption() {
    Attention.Builder builder =
        Attention.builder()
            .causal(Attention.Alignment.TOP_LEFT)
            .window(3, 4)
            .scale(0.3)
            .softcap(5)
            .outDType(DType.BFLOAT16)
            .allowTf32(true);
    assertEquals(builder.build(), builder.dropout(0.25).build().eval());
  }
}
