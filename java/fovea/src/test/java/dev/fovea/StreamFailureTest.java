package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A driver that fails at any call leaves nothing open, and what it refused once works later. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StreamFailureTest {
  private final FakeStreams driver = new FakeStreams();
  private final Device device = Recorder.with(driver);

  private Tensor query(Scope scope) {
    return scope.allocate(DType.FLOAT32, 1, 128, 4, 64); // holds what is recorded
  }

  private AttentionCall call(Scope scope, Stream stream) {
    Tensor query = query(scope);
    return Attention.create()
        .call(query, query, query)
        .out(query(scope))
        .lse(scope.allocate(DType.FLOAT32, 1, 4, 128))
        .parallelism(1)
        .stream(stream);
  }

  /** Everything there is to do with streams, twice, on the same objects. */
  private void work(boolean again) {
    try (Scope scope = Scope.open(device);
        Stream first = Stream.open(device);
        Stream second = Stream.open(device)) {
      AttentionCall call = call(scope, first);
      Tensor dkey = query(scope);
      AttentionBackward backward =
          call.gradients(query(scope)).dquery(query(scope)).dkey(dkey).dvalue(query(scope));
      for (Stream stream : List.of(first, second, first)) {
        retry(again, () -> call.stream(stream).run());
        retry(again, backward::run);
      }
      retry(again, () -> second.await(first));
      retry(again, second::synchronize);
      retry(
          again,
          () -> {
            try (Event event = first.record()) {
              event.synchronize();
            }
          });
      retry(
          again,
          () -> {
            try (Graph graph =
                first.capture(
                    () -> {
                      call.run();
                      backward.run();
                    })) {
              graph.launch(second);
              graph.launch(first);
            }
          });
      retry(again, call::run);
      retry(again, backward::run);
    }
  }

  private static void retry(boolean again, Runnable run) {
    try {
      run.run();
    } catch (FoveaException e) {
      if (!again) {
        throw e;
      }
      run.run();
    }
  }

  @Test
  void everyCallOfTheDriverMayFail() {
    for (boolean again : new boolean[] {false, true}) {
      int calls = 0;
      do {
        driver.failAfter(calls++);
        try {
          work(again);
        } catch (FoveaException e) {
          assertTrue(e.getMessage().endsWith(" fails"), e.getMessage());
        }
        String what = "call " + calls + " failed: " + driver.take();
        assertEquals(Map.of(), driver.open(), what);
      } while (driver.hasFailed());
      driver.failAfter(-1);
      assertTrue(calls > 60, "calls of the driver: " + calls);
    }
  }

  @Test
  void aWaitThatFailedIsMadeUpFor() {
    try (Scope scope = Scope.open(device);
        Stream stream = Stream.open(device)) {
      AttentionCall call = call(scope, stream);
      String wait = stream.handle() + " awaits " + FakeStreams.OWN;
      driver.onCall =
          name -> {
            if (name.equals(wait)) {
              throw new FoveaException(Status.DEVICE_ERROR, "no");
            }
          };
      assertThrows(FoveaException.class, call::run);
      driver.onCall = name -> {};
      driver.take();
      call.run();
      assertTrue(driver.take().contains(wait), "for the memory that is zeroed there");
      call.run();
      assertFalse(driver.take().contains(wait), "once is enough");
    }
  }

  /** Or memory that its work uses would be freed before that is done. */
  @Test
  void aStreamThatNothingCanWaitForIsWaitedForWhenItCloses() {
    Stream stream = Stream.open(device);
    driver.take();
    driver.failAfter(0); // the event
    stream.close();
    assertEquals(List.of("openEvent", "synchronize", "closeStream"), driver.take());
    assertEquals(Map.of(), driver.open());
    stream.close();
    assertThrows(IllegalStateException.class, stream::synchronize);
  }

  @Test
  void aStreamThatFailsToCloseIsClosed() {
    Stream stream = Stream.open(device);
    driver.onCall =
        name -> {
          if (!name.equals("closeStream")) {
            throw new FoveaException(Status.DEVICE_LOST, "lost");
          }
        };
    assertThrows(FoveaException.class, stream::close);
    driver.onCall = name -> {};
    assertEquals(Map.of(), driver.open());
    stream.close();
    assertThrows(IllegalStateException.class, stream::record);
  }

  @Test
  void aGraphThatFailsToCloseIsClosedAndLetsItsScopesGo() {
    try (Stream stream = Stream.open(device)) {
      Scope scope = Scope.open(device);
      AttentionCall call = call(scope, stream);
      Graph graph = stream.capture(call::run);
      assertThrows(IllegalStateException.class, scope::close);
      driver.failAfter(0);
      assertThrows(FoveaException.class, graph::close);
      graph.close();
      assertThrows(IllegalStateException.class, () -> graph.launch(stream));
      scope.close();
    }
    assertEquals(Map.of(), driver.open());
  }

  /** What was captured in vain will never be computed. */
  @Test
  void aCaptureThatNeverRunsHasNoForward() {
    try (Scope scope = Scope.open(device);
        Stream stream = Stream.open(device)) {
      AttentionCall call = call(scope, stream);
      AttentionBackward backward = call.gradients(query(scope));
      RuntimeException mine = new RuntimeException("mine");
      Runnable failing =
          () -> {
            call.run();
            throw mine;
          };
      assertEquals(mine, assertThrows(RuntimeException.class, () -> stream.capture(failing)));
      assertThrows(IllegalStateException.class, () -> backward.backward(scope));
      stream.capture(call::run).close();
      assertThrows(IllegalStateException.class, () -> backward.backward(scope), "no launch");
      try (Graph graph = stream.capture(call::run)) {
        backward.backward(scope);
        graph.launch(stream);
      }
      backward.backward(scope);
      call.run();
      backward.backward(scope);
    }
  }

  @Test
  void memoryThatNoArenaTakesIsFreed() {
    StreamOrder order = new StreamOrder(device);
    Arena closed = Arena.ofConfined();
    closed.close();
    assertThrows(IllegalStateException.class, () -> order.allocate(1000, closed));
    assertEquals(Map.of(), driver.open());
  }

  /** Whatever the device says of it, even what sounds as if it had stayed open. */
  @Test
  void aScopeWhoseMemoryIsNotFreedIsClosed() {
    Scope scope = Scope.open(device);
    query(scope);
    driver.onCall =
        name -> {
          throw new IllegalStateException("mine");
        };
    assertEquals("mine", assertThrows(IllegalStateException.class, scope::close).getMessage());
    driver.onCall = name -> {};
    assertFalse(scope.isOpen());
    assertThrows(IllegalStateException.class, () -> query(scope));
    scope.close();
  }
}
