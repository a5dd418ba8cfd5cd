package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** Which forward pass a backward pass is of: no other's out and lse give its gradients. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ForwardRunTest {
  private final Attention attention = Attention.create();
  private final Scope scope = Scope.open(Recorder.DEVICE);
  private final Tensor query = floats(1, 128, 4, 64); // holds what is recorded
  private final Tensor key = floats(1, 8, 4, 64);
  private final Tensor out = floats(1, 128, 4, 64);
  private final Tensor lse = floats(1, 4, 128);
  private final AttentionCall call =
      attention.call(query, key, key).out(out).lse(lse).parallelism(1);

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor floats(long... shape) {
    return scope.allocate(DType.FLOAT32, shape);
  }

  private static void assertNotRun(Executable backward) {
    String message = assertThrows(IllegalStateException.class, backward).getMessage();
    assertEquals(
        "the call has not run since its operands were bound: run it before its backward pass, or"
            + " give gradients(...) what a forward pass elsewhere wrote",
        message);
  }

  private List<Long> outAndLseOf(Recorder.Entry entry) {
    return List.of(entry.operand("out"), entry.operand("lse"));
  }

  private List<Long> addresses(Tensor... tensors) {
    return Arrays.stream(tensors).map(Tensor::address).toList();
  }

  @Test
  void aBackwardBeforeItsForwardIsRefused() {
    AttentionBackward backward =
        call.gradients(floats(1, 128, 4, 64))
            .dquery(floats(1, 128, 4, 64))
            .dkey(floats(1, 8, 4, 64))
            .dvalue(floats(1, 8, 4, 64));
    backward.plan(); // as a capture needs it
    assertNotRun(backward::run);
    assertNotRun(() -> backward.backward(scope));
    call.run();
    backward.run();
    backward.backward(scope);
  }

  /** Every setter of a tensor but that of weights, in which a backward pass has no part. */
  @Test
  void anOperandThatIsBoundAsksForAnotherForward() throws Exception {
    Set<String> asking = new TreeSet<>();
    Set<String> others = new TreeSet<>();
    for (Method setter : AttentionCall.class.getMethods()) {
      if (!OperationCall.class.isAssignableFrom(setter.getReturnType())) {
        continue;
      }
      AttentionCall fresh = attention.call(query, key, key).out(out).lse(lse).parallelism(1);
      AttentionBackward backward = fresh.gradients(out);
      fresh.run();
      backward.backward(scope);
      setter.invoke(fresh, arguments(setter));
      boolean ran = true;
      try {
        backward.backward(scope);
      } catch (IllegalStateException e) {
        ran = false;
      }
      (ran ? others : asking).add(setter.getName());
    }
    assertEquals(
        Set.of(
            "alibiSlopes",
            "bias",
            "blockMask",
            "cacheScales",
            "contentBias",
            "cuSeqlens",
            "gaussianCenters",
            "keyGates",
            "keyLengths",
            "lse",
            "mask",
            "modifierTable",
            "out",
            "outputGates",
            "pages",
            "positionBias",
            "positionKeys",
            "queryLengths",
            "queryScales",
            "relativeBias",
            "sinks",
            "spans",
            "treeMask",
            "ungated"),
        asking);
    assertEquals(
        Set.of("dropoutSeed", "executor", "parallelism", "stream", "topWeights", "weights"),
        others);
  }

  private Object[] arguments(Method setter) {
    return switch (setter.getName()) {
      case "cuSeqlens" -> {
        Tensor offsets = scope.allocate(DType.INT32, 2);
        yield setter.getParameterCount() == 2
            ? new Object[] {offsets, 1L}
            : new Object[] {offsets, offsets, 1L, 1L};
      }
      case "blockMask", "cacheScales", "relativeBias", "topWeights" -> new Object[2];
      case "pages" -> new Object[] {null, 1L};
      case "out" -> new Object[] {floats(1, 128, 4, 64)};
      case "lse" -> new Object[] {floats(1, 4, 128)};
      case "dropoutSeed" -> new Object[] {1L, 2};
      case "parallelism" -> new Object[] {2};
      case "executor" -> new Object[] {(Executor) Runnable::run};
      default -> new Object[1];
    };
  }

  @Test
  void aForwardElsewhereNeedsNoRunHere() {
    Tensor otherOut = floats(1, 128, 4, 64);
    Tensor otherLse = floats(1, 4, 128);
    AttentionCall bare = attention.call(query, key, key).parallelism(1);
    AttentionBackward backward = bare.gradients(out, otherOut, otherLse);
    AttentionPlan plan =
        backward
            .dquery(floats(1, 128, 4, 64))
            .dkey(floats(1, 8, 4, 64))
            .dvalue(floats(1, 8, 4, 64))
            .plan();
    backward.run();
    assertEquals(addresses(otherOut, otherLse), outAndLseOf(Recorder.take(query).getFirst()));
    bare.out(out).lse(lse).run(); // has no part in it
    assertEquals(plan, backward.plan());
    backward.run();
    assertEquals(addresses(otherOut, otherLse), outAndLseOf(Recorder.take(query).getFirst()));
    assertThrows(NullPointerException.class, () -> bare.gradients(out, null, lse));
    assertThrows(NullPointerException.class, () -> bare.gradients(out, out, null));
    assertThrows(NullPointerException.class, () -> bare.gradients(null, out, lse));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> bare.gradients(out, out, floats(1, 128, 4)).backward(scope))
            .getMessage();
    assertTrue(message.startsWith("lse has shape [1, 128, 4]"), message);
  }

  @Test
  void aForwardElsewhereDrewFromTheSeedOfTheCall() {
    call.dropoutSeed(5, 6).run();
    AttentionBackward backward = call.gradients(out, out, lse);
    call.dropoutSeed(-7, 8);
    backward.backward(scope);
    Recorder.Entry entry = Recorder.take(query).getFirst();
    assertEquals(-7, entry.seed());
    assertEquals(8, entry.offset());
  }

  @Test
  void eachBackwardIsOfTheLastRun() {
    AttentionBackward backward = call.gradients(out);
    for (int step = 1; step < 4; step++) {
      Tensor stepOut = step % 2 == 0 ? out : floats(1, 128, 4, 64);
      call.out(stepOut).dropoutSeed(9, step).run();
      backward.backward(scope);
      Recorder.Entry entry = Recorder.take(query).getFirst();
      assertEquals(addresses(stepOut, lse), outAndLseOf(entry));
      assertEquals(step, entry.offset());
      Tensor own = call.dropoutSeed(9, 100 + step).forward(scope);
      backward.backward(scope);
      entry = Recorder.take(query).getFirst();
      assertEquals(addresses(own, lse), outAndLseOf(entry));
      assertEquals(100 + step, entry.offset());
    }
  }
}
