package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A scope keeps the working memory of the calls that have none of their own. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WorkingMemoryTest {
  private final HookedCpu hooks = new HookedCpu();
  private final Scope root = Scope.open(Device.of(hooks));
  private final Operands operands = Operands.in(root);
  private final Attention attention = Attention.create();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    root.close();
  }

  private float[] forward(Scope scope) {
    return attention
        .forward(scope, operands.query(), operands.key(), operands.value())
        .toFloatArray();
  }

  private int allocations(Runnable work) {
    AtomicInteger count = new AtomicInteger();
    hooks.onAllocate = bytes -> count.incrementAndGet();
    try {
      work.run();
      return count.get();
    } finally {
      hooks.onAllocate = bytes -> {};
    }
  }

  private int inChild(Scope parent) {
    try (Scope child = parent.child()) {
      return allocations(() -> forward(child));
    }
  }

  @Test
  void aChildUsesThatOfItsRoot() {
    assertTrue(inChild(root) > 1, "out and working memory");
    assertEquals(1, inChild(root), "out alone");
    try (Scope child = root.child()) {
      assertEquals(1, inChild(child), "out alone");
    }
    assertEquals(1, allocations(() -> forward(root)), "out alone");
  }

  @Test
  void anyAttentionUsesIt() {
    forward(root);
    Attention other = Attention.builder().causal().build();
    Supplier<Tensor> run =
        () -> other.forward(root, operands.query(), operands.key(), operands.value());
    assertEquals(1, allocations(run::get), "out alone");
  }

  @Test
  void aBackwardPassUsesItToo() {
    Tensor lse = root.allocate(DType.FLOAT32, 1, 4, 128);
    operands.call(attention).lse(lse).run();
    Runnable backward =
        () ->
            attention.backward(
                root,
                operands.out(),
                operands.query(),
                operands.key(),
                operands.value(),
                operands.out(),
                lse);
    assertTrue(allocations(backward) > 3, "gradients and working memory");
    assertEquals(3, allocations(backward), "gradients alone");
  }

  @Test
  void anotherRootHasItsOwn() {
    forward(root);
    try (Scope other = Scope.open(root.device());
        Arena arena = Arena.ofConfined()) {
      assertTrue(allocations(() -> forward(other)) > 1, "out and working memory");
      assertEquals(1, allocations(() -> forward(other)), "out alone");
      Scope over = Scope.over(arena, root.device());
      assertTrue(allocations(() -> forward(over)) > 1, "out and working memory");
      assertEquals(1, allocations(() -> forward(over)), "out alone");
      over.close();
      assertThrows(IllegalStateException.class, () -> forward(over));
    }
  }

  /** A run that comes while another one has the memory makes its own. */
  @Test
  void twoThreadsDoNotShareIt() {
    float[] expected = forward(root);
    AtomicInteger more = new AtomicInteger();
    AtomicReference<float[]> inner = new AtomicReference<>();
    hooks.onAllocate = // of out: the memory has been taken
        bytes -> {
          hooks.onAllocate = again -> more.incrementAndGet();
          Thread other = Thread.ofPlatform().start(() -> inner.set(forward(root)));
          try {
            other.join();
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
        };
    float[] outer = forward(root);
    assertTrue(more.get() > 1, "out and working memory of the other thread: " + more);
    assertArrayEquals(expected, outer);
    assertArrayEquals(expected, inner.get());
    assertEquals(1, allocations(() -> forward(root)), "out alone");
  }
}
