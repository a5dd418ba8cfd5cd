package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A call and its backward pass have one user at a time: whoever comes second is told so. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CallClaimTest {
  /** What changes nothing and runs nothing. */
  private static final Set<String> FREE = Set.of("gradients", "toString");

  private final Scope scope = Scope.open();
  private final Operands operands = Operands.in(scope);
  private final Tensor lse = scope.allocate(DType.FLOAT32, 1, 4, 128);
  private final Attention attention =
      Attention.builder()
          .scoreModifier(ScoreModifier.of((score, at) -> score.plus(at.table(0))))
          .build();
  private final AttentionCall call =
      operands
          .call(attention)
          .modifierTable(scope.allocate(DType.FLOAT32, 1, 1))
          .lse(lse)
          .parallelism(2)
          .executor(task -> {});
  private final AttentionBackward backward = call.gradients(operands.query());

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static List<Method> uses(Class<?> type) {
    return Stream.of(type.getMethods())
        .filter(method -> method.getDeclaringClass() != Object.class)
        .filter(method -> !FREE.contains(method.getName()))
        .toList();
  }

  private Object argument(Class<?> type) {
    if (type == Tensor.class) {
      return operands.out();
    } else if (type == Scope.class) {
      return scope;
    } else if (type == Executor.class) {
      return (Executor) Runnable::run;
    } else if (type == dev.fovea.Stream.class) {
      return null;
    } else if (type == boolean.class) {
      return true;
    } else if (type == int.class) {
      return 1;
    } else if (type == long.class) {
      return 1L;
    }
    throw new AssertionError("an argument for a parameter of " + type);
  }

  /** Those uses of {@code object} that another thread is refused now, and how. */
  private void refuse(Object object, Set<String> refused, Set<String> messages) {
    for (Method use : uses(object.getClass())) {
      Object[] arguments = Stream.of(use.getParameterTypes()).map(this::argument).toArray();
      try {
        use.invoke(object, arguments);
      } catch (InvocationTargetException e) {
        if (e.getCause() instanceof IllegalStateException) {
          refused.add(use.toString());
          messages.add(e.getCause().getMessage());
        }
      } catch (IllegalAccessException e) {
        throw new AssertionError(e);
      }
    }
  }

  private static void elsewhere(Runnable work) {
    join(Thread.ofPlatform().start(work));
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private void assertEverythingIsRefusedDuring(Runnable run) {
    Set<String> refused = new TreeSet<>();
    Set<String> messages = new TreeSet<>();
    call.executor(
        task ->
            elsewhere(
                () -> {
                  refuse(call, refused, messages);
                  refuse(backward, refused, messages);
                }));
    run.run();
    Set<String> all = new TreeSet<>();
    uses(AttentionCall.class).forEach(use -> all.add(use.toString()));
    uses(AttentionBackward.class).forEach(use -> all.add(use.toString()));
    assertTrue(all.size() > 25, "setters, runs and plans: " + all);
    assertEquals(all, refused);
    assertEquals(1, messages.size(), messages.toString());
    String message = messages.iterator().next();
    assertTrue(message.startsWith("this call is running"), message);
  }

  @Test
  void everythingIsRefusedDuringARun() {
    assertEverythingIsRefusedDuring(call::run);
    assertTrue(Float.isFinite(operands.out().getFloat(0, 127, 3, 63)), "the run is not disturbed");
  }

  @Test
  void everythingIsRefusedDuringABackwardRun() {
    call.run();
    assertEverythingIsRefusedDuring(() -> backward.backward(scope));
  }

  /**
   * Runs while other threads bind now {@code big} and now one element of a slab: a run is of one of
   * them or is refused. The machine has fewer cores than there are threads, so that some are always
   * held up in the middle of a setter.
   */
  private void assertNothingOutsideIsWritten(Consumer<Tensor> bind, Runnable run, Tensor big) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment slab = arena.allocate(big.elements() * 4, 64);
      Tensor small = Tensor.of(slab.asSlice(0, 4), DType.FLOAT32, 1, 1, 1, 1).on(big.device());
      AtomicBoolean done = new AtomicBoolean();
      List<Thread> binders = new ArrayList<>();
      for (int i = 0; i < 3 * Runtime.getRuntime().availableProcessors(); i++) {
        binders.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      while (!done.get()) {
                        bind(bind, small);
                        bind(bind, big);
                      }
                    }));
      }
      try {
        for (int i = 0; i < 5000; i++) {
          try {
            run.run();
          } catch (IllegalArgumentException | IllegalStateException e) {
            Thread.onSpinWait(); // too small, or in use
          }
        }
      } finally {
        done.set(true);
        for (Thread binder : binders) {
          join(binder);
        }
      }
      for (long i = 1; i < big.elements(); i++) {
        assertEquals(0, slab.getAtIndex(ValueLayout.JAVA_INT, i), "element " + i + " behind it");
      }
    }
  }

  private static void bind(Consumer<Tensor> bind, Tensor tensor) {
    try {
      bind.accept(tensor);
    } catch (IllegalStateException inUse) {
      Thread.onSpinWait();
    }
  }

  /** On a device that lets other threads go first between the checks of a run and its kernel. */
  private AttentionCall racing(Scope scope, Tensor out) {
    Tensor query = scope.allocate(DType.FLOAT32, 1, 64, 1, 64).fill(1);
    Tensor key = scope.allocate(DType.FLOAT32, 1, 2, 1, 64).fill(1);
    key.setFloat(3, 0, 1, 0, 5); // or dquery would be zero
    return Attention.create()
        .call(query, key, key)
        .out(out)
        .lse(scope.allocate(DType.FLOAT32, 1, 1, 64))
        .parallelism(1);
  }

  @Test
  void noRunWritesBehindAnOutThatIsBoundMeanwhile() {
    HookedCpu device = new HookedCpu();
    device.onLibrary = Thread::yield;
    try (Scope hooked = Scope.open(Device.of(device))) {
      Tensor out = hooked.allocate(DType.FLOAT32, 1, 64, 1, 64);
      AttentionCall racing = racing(hooked, out);
      assertNothingOutsideIsWritten(racing::out, racing::run, out);
    }
  }

  @Test
  void noBackwardRunWritesBehindAGradientThatIsBoundMeanwhile() {
    HookedCpu device = new HookedCpu();
    device.onLibrary = Thread::yield;
    try (Scope hooked = Scope.open(Device.of(device))) {
      Tensor out = hooked.allocate(DType.FLOAT32, 1, 64, 1, 64);
      Tensor dquery = hooked.allocate(DType.FLOAT32, 1, 64, 1, 64);
      AttentionCall racing = racing(hooked, out);
      racing.run();
      AttentionBackward pass = racing.gradients(out);
      pass.dkey(hooked.allocate(DType.FLOAT32, 1, 2, 1, 64));
      pass.dvalue(hooked.allocate(DType.FLOAT32, 1, 2, 1, 64));
      assertNothingOutsideIsWritten(pass::dquery, pass::run, dquery);
    }
  }
}
