package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is captured belongs to the thread that captures, and a graph shares the memory of calls. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StreamClaimTest {
  private final FakeStreams driver = new FakeStreams();
  private final Device device = Recorder.with(driver);
  private final Scope scope = Scope.open(device);
  private final Stream stream = Stream.open(device);
  private final Stream other = Stream.open(device);
  private final Tensor query = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
  private final AttentionCall call = call();

  private AttentionCall call() {
    Tensor out = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
    return Attention.create().call(query, query, query).out(out).parallelism(1).stream(stream);
  }

  @AfterEach
  void close() {
    stream.close();
    other.close();
    scope.close();
  }

  /** What another thread is told that does {@code use} now, or null. */
  private static String elsewhere(Runnable use) {
    AtomicReference<String> refusal = new AtomicReference<>();
    Thread thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    use.run();
                  } catch (IllegalStateException e) {
                    refusal.set(e.getMessage());
                  }
                });
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    return refusal.get();
  }

  @Test
  void nobodyElseUsesAStreamThatIsCaptured() {
    AttentionCall theirs = call();
    theirs.run();
    try (Graph before = other.capture(() -> theirs.stream(other).run());
        Event event = stream.record()) {
      theirs.stream(stream);
      Runnable work =
          () -> {
            for (Runnable use :
                List.<Runnable>of(
                    theirs::run,
                    () -> before.launch(stream),
                    stream::synchronize,
                    stream::record,
                    () -> stream.await(event),
                    () -> stream.await(other),
                    () -> stream.capture(() -> {}))) {
              assertEquals("another thread captures the stream", elsewhere(use));
            }
            assertTrue(elsewhere(stream::close).startsWith("the stream cannot be closed"));
            call.run();
          };
      driver.take();
      stream.capture(work).close();
      assertFalse(driver.take().contains("launch"));
      theirs.run(); // and afterwards they may again
      stream.synchronize();
    }
  }

  /** An event of a capture is none that a copy, or freeing memory, could wait for. */
  @Test
  void whoeverWaitsForAStreamThatIsCapturedWaitsForWhatWasQueuedBefore() {
    call.run();
    String wait = FakeStreams.OWN + " awaits " + stream.handle();
    Runnable work =
        () -> {
          call.run();
          driver.take();
          elsewhere(() -> scope.order().settle());
          assertEquals(List.of(wait), driver.take());
          scope.order().settle();
          assertEquals(List.of(wait), driver.take());
        };
    stream.capture(work).close();
  }

  @Test
  void aStreamInUseIsNotCaptured() throws Exception {
    CountDownLatch waiting = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    driver.onCall =
        name -> {
          if (name.equals("synchronize")) {
            waiting.countDown();
            try {
              release.await();
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
          }
        };
    Thread waiter = Thread.ofPlatform().start(stream::synchronize);
    waiting.await();
    try {
      String refusal =
          assertThrows(IllegalStateException.class, () -> stream.capture(() -> {})).getMessage();
      assertEquals("cannot capture a stream that another thread is using", refusal);
    } finally {
      release.countDown();
      waiter.join();
    }
    stream.capture(call::run).close();
  }

  /** A launch runs the kernels of its calls, on their memory. */
  @Test
  void aGraphAndItsCallsAreNotForTwoThreads() {
    try (Graph graph = stream.capture(call::run)) {
      driver.onCall =
          name -> {
            if (name.equals("launch")) {
              driver.onCall = other -> {};
              for (Runnable use :
                  List.<Runnable>of(
                      call::run, call::plan, () -> call.out(query), () -> graph.launch(other))) {
                String refusal = elsewhere(use);
                assertTrue(refusal.startsWith("this call is running"), refusal);
              }
              assertTrue(elsewhere(graph::close).startsWith("the graph cannot be closed"));
              call().run(); // of other calls it knows nothing
            }
          };
      graph.launch(other);
      assertTrue(driver.take().contains("launch"));
      call.parallelism(2)
          .executor(
              task ->
                  assertTrue(
                      elsewhere(() -> graph.launch(stream)).startsWith("this call is running")));
      driver.take();
      call.run();
      assertFalse(driver.take().contains("launch"));
      graph.launch(stream);
    }
  }
}
