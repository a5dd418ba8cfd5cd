package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.FoveaException;
import dev.fovea.Graph;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Captured once, launched often. */
class CudaGraphTest {
  private final Scope scope = Scope.open(Samples.FIRST);
  private final Stream stream = Stream.open(Samples.FIRST);
  private final Tensor from = Samples.tensor(scope, 1);
  private final Tensor middle = scope.allocate(DType.FLOAT32, Samples.SHAPE);
  private final Tensor to = scope.allocate(DType.FLOAT32, Samples.SHAPE);
  private final AttentionCall first =
      Samples.COPY.call(from, from, from).out(middle).stream(stream);
  private final AttentionCall second =
      Samples.COPY.call(middle, middle, middle).out(to).stream(stream);

  @BeforeEach
  void plan() {
    first.plan();
    second.plan();
  }

  @AfterEach
  void close() {
    stream.close();
    scope.close();
  }

  private Graph capture() {
    return stream.capture(
        () -> {
          first.run();
          second.run();
        });
  }

  @Test
  void replaysSeeChangedContents() {
    try (Graph graph = capture()) {
      stream.synchronize();
      Samples.assertHolds(0, to);
      for (int round = 2; round < 6; round++) {
        from.fill(round);
        graph.launch(stream);
        assertTrue(Stub.pending(stream.handle()) > 0, "a launch does not wait");
        Samples.assertHolds(round, to);
      }
    }
  }

  /** One query and one key: all of dout goes to value. */
  @Test
  void aBackwardReplaysToo() {
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, 1);
    Tensor dvalue = scope.allocate(DType.FLOAT32, Samples.SHAPE);
    Tensor unused = scope.allocate(DType.FLOAT32, Samples.SHAPE);
    AttentionBackward backward =
        first.lse(lse).gradients(from).dquery(middle).dkey(unused).dvalue(dvalue);
    first.out(to);
    backward.plan();
    try (Graph graph =
        stream.capture(
            () -> {
              first.run();
              backward.run();
            })) {
      for (int round = 2; round < 5; round++) {
        from.fill(round);
        graph.launch(stream);
        Samples.assertHolds(round, dvalue);
        Samples.assertHolds(0, middle);
      }
    }
  }

  @Test
  void aCapturedRunAllocatesNothingAndWaitsForNothing() {
    String[] forbidden = {
      "cuMemAllocAsync", "cuStreamSynchronize", "cuEventSynchronize", "cuEventRecord"
    };
    long[] calls = new long[1];
    stream
        .capture(
            () -> {
              calls[0] = calls(forbidden);
              first.run();
              second.run();
              calls[0] -= calls(forbidden);
            })
        .close();
    assertEquals(0, calls[0]);
  }

  private static long calls(String[] functions) {
    long calls = 0;
    for (String function : functions) {
      calls += Stub.calls(function);
    }
    return calls;
  }

  @Test
  void anyStreamLaunchesItAndCopiesWaitForThat() {
    try (Graph graph = capture();
        Stream other = Stream.open(Samples.FIRST);
        Stream elsewhere = Stream.open(Samples.SECOND)) {
      from.fill(9);
      stream.synchronize();
      graph.launch(other);
      assertEquals(0, Stub.pending(stream.handle()));
      Samples.assertHolds(9, to);
      graph.launch(Samples.FIRST.stream());
      assertThrows(IllegalArgumentException.class, () -> graph.launch(elsewhere));
    }
  }

  /** Also the scope of what a captured forward allocates, before it is there. */
  @Test
  void forwardCanBeCaptured() {
    Tensor[] out = new Tensor[1];
    try (Graph graph =
        stream.capture(
            () -> out[0] = Samples.COPY.call(from, from, from).stream(stream).forward(scope))) {
      graph.launch(stream);
      stream.synchronize();
      Samples.assertHolds(1, out[0]);
    }
  }

  @Test
  void itKeepsItsScopesOpenUntilItCloses() {
    Scope own = Scope.open(Samples.FIRST);
    Tensor out = own.allocate(DType.FLOAT32, Samples.SHAPE);
    Graph graph = stream.capture(() -> first.out(out).run());
    String message = assertThrows(IllegalStateException.class, own::close).getMessage();
    assertEquals(
        "the scope cannot be closed: 1 call(s) or graph(s) use its memory; it stays open", message);
    graph.launch(stream);
    graph.close();
    graph.close();
    assertThrows(IllegalStateException.class, () -> graph.launch(stream));
    own.close();
    assertFalse(own.isOpen());
    stream.synchronize();
  }

  @Test
  void theOwnStreamIsNotCaptured() {
    Stream own = Samples.FIRST.stream();
    assertThrows(UnsupportedOperationException.class, () -> own.capture(() -> {}));
  }

  @Test
  void whatCannotBeCapturedIsRefusedAndTheStreamWorksOn() {
    assertThrows(IllegalStateException.class, () -> stream.capture(() -> stream.synchronize()));
    assertThrows(IllegalStateException.class, () -> stream.capture(() -> stream.capture(() -> {})));
    assertThrows(IllegalStateException.class, () -> stream.capture(stream::close));
    try (Graph graph = capture()) {
      assertThrows(IllegalStateException.class, () -> stream.capture(() -> graph.launch(stream)));
    }
    RuntimeException thrown = new RuntimeException("mine");
    assertEquals(
        thrown,
        assertThrows(
            RuntimeException.class,
            () ->
                stream.capture(
                    () -> {
                      first.run();
                      throw thrown;
                    })));
    // Work of another stream, which no graph can wait for.
    assertThrows(
        FoveaException.class, () -> stream.capture(() -> stream.await(Samples.FIRST.stream())));
    first.run();
    Samples.assertHolds(1, middle);
  }

  @Test
  void aFailedCaptureLetsItsScopesGo() {
    Scope own = Scope.open(Samples.FIRST);
    Tensor out = own.allocate(DType.FLOAT32, Samples.SHAPE);
    assertThrows(
        FoveaException.class,
        () ->
            stream.capture(
                () -> {
                  first.out(out).run();
                  stream.await(Samples.FIRST.stream());
                }));
    own.close();
  }

  @Test
  void virtualThreadsCapture() throws Exception {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      threads
          .submit(
              () -> {
                try (Graph graph =
                    stream.capture(
                        () -> {
                          first.run();
                          Thread.yield(); // and perhaps come back on another OS thread
                          second.run();
                        })) {
                  graph.launch(stream);
                  stream.synchronize();
                }
              })
          .get();
    }
    Samples.assertHolds(1, to);
  }

  /** A copy waits for what the stream had to do before: an event of a capture would break that. */
  @Test
  void anotherThreadCopiesWhatTheStreamHasUsed() throws Exception {
    first.run();
    try (ExecutorService threads = Executors.newSingleThreadExecutor();
        Graph graph =
            stream.capture(
                () -> {
                  first.run();
                  try {
                    threads.submit(() -> Samples.assertHolds(1, middle)).get();
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                  second.run();
                })) {
      graph.launch(stream);
      Samples.assertHolds(1, to);
    }
  }
}
