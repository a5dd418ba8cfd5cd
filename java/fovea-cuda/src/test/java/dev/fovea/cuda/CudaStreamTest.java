package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Event;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import org.junit.jupiter.api.Test;

/**
 * Who waits for whom. The stub does nothing before somebody waits, so each of these fails every
 * time where an order is forgotten.
 */
class CudaStreamTest {
  private static AttentionCall copy(Tensor from, Tensor to) {
    return Samples.COPY.call(from, from, from).out(to);
  }

  @Test
  void runsAreQueuedAndCopiesWaitForThem() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.open(Samples.FIRST)) {
      Tensor from = Samples.tensor(scope, 3);
      Tensor to = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      copy(from, to).stream(stream).run();
      assertTrue(Stub.pending(stream.handle()) > 0, "the run has not waited");
      Samples.assertHolds(3, to);
      assertEquals(0, Stub.pending(stream.handle()));
    }
  }

  @Test
  void aCallUsesTheOwnStreamUnlessTold() {
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Tensor from = Samples.tensor(scope, 3);
      Samples.FIRST.stream().synchronize();
      long events = Stub.calls("cuEventRecord");
      Tensor to = Samples.COPY.forward(scope, from, from, from);
      assertTrue(Stub.pending(Samples.FIRST.stream().handle()) > 0);
      assertEquals(events, Stub.calls("cuEventRecord"), "one stream needs no events");
      Samples.assertHolds(3, to);
    }
  }

  /** Zeroing is queued in the own stream, after which the other one must come. */
  @Test
  void aStreamWaitsForTheMemoryItUses() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.open(Samples.FIRST)) {
      Tensor from = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Tensor to = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      copy(from, to).stream(stream).run();
      stream.synchronize();
      Samples.FIRST.stream().synchronize();
      Samples.assertHolds(0, to);
      to.fill(5);
      Tensor late = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Samples.COPY.call(from, from, late).out(to).stream(stream).run();
      stream.synchronize();
      Samples.assertHolds(0, to); // also for what is allocated later
    }
  }

  @Test
  void copiesWithinTheDeviceAreOrderedWithOtherStreams() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.open(Samples.FIRST)) {
      Tensor a = Samples.tensor(scope, 1);
      Tensor b = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Tensor c = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Tensor d = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      copy(a, b).stream(stream).run();
      c.copyFrom(b); // in the own stream
      copy(c, d).stream(stream).run();
      stream.synchronize();
      Samples.assertHolds(1, d);
    }
  }

  @Test
  void memoryIsFreedBehindTheStreamsThatUseIt() {
    long[] shape = {1201, 1, 1, 16};
    long bytes = 4L * 1201 * 16;
    try (Scope results = Scope.open(Samples.FIRST);
        Stream stream = Stream.open(Samples.FIRST)) {
      Tensor to = results.allocate(DType.FLOAT32, shape);
      try (Scope scope = Scope.open(Samples.FIRST)) {
        copy(scope.allocate(DType.FLOAT32, shape).fill(7), to).stream(stream).run();
      }
      assertEquals(2, Stub.blocks(bytes), "nothing was waited for");
      Samples.FIRST.stream().synchronize(); // where memory is freed
      assertEquals(1, Stub.blocks(bytes));
      Samples.assertHolds(7, to);
    }
  }

  @Test
  void aStreamMayCloseBeforeTheMemoryItUsed() {
    try (Scope results = Scope.open(Samples.FIRST)) {
      Tensor to = results.allocate(DType.FLOAT32, Samples.SHAPE);
      Scope scope = Scope.open(Samples.FIRST);
      Stream stream = Stream.open(Samples.FIRST);
      copy(Samples.tensor(scope, 7), to).stream(stream).run();
      stream.close();
      stream.close();
      scope.close();
      Samples.assertHolds(7, to);
      assertThrows(IllegalStateException.class, stream::synchronize);
      assertThrows(IllegalStateException.class, stream::record);
      Tensor other = results.allocate(DType.FLOAT32, Samples.SHAPE);
      assertThrows(IllegalStateException.class, () -> copy(to, other).stream(stream).run());
      Samples.FIRST.stream().await(stream); // has waited already
    }
  }

  @Test
  void oneStreamAwaitsAnother() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream first = Stream.open(Samples.FIRST);
        Stream second = Stream.open(Samples.FIRST)) {
      Tensor a = Samples.tensor(scope, 4);
      Tensor b = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Tensor c = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      copy(a, b).stream(first).run();
      second.await(first);
      copy(b, c).stream(second).run();
      second.synchronize();
      Samples.assertHolds(4, c);
      second.await(second);
    }
  }

  @Test
  void eventsMarkPointsInAStream() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream first = Stream.open(Samples.FIRST);
        Stream second = Stream.open(Samples.FIRST)) {
      Tensor a = Samples.tensor(scope, 4);
      Tensor b = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Tensor c = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      Event begin = first.record();
      copy(a, b).stream(first).run();
      try (Event end = first.record()) {
        second.await(end);
        copy(b, c).stream(second).run();
        assertThrows(IllegalStateException.class, () -> end.millisecondsSince(begin));
        assertFalse(end.isDone());
        end.synchronize();
        assertTrue(begin.isDone());
        assertTrue(end.isDone());
        assertTrue(end.millisecondsSince(begin) > 0, "a kernel takes time");
        assertEquals(-end.millisecondsSince(begin), begin.millisecondsSince(end));
      }
      begin.close();
      begin.close();
      assertThrows(IllegalStateException.class, begin::isDone);
      assertThrows(IllegalStateException.class, () -> second.await(begin));
      second.synchronize();
      Samples.assertHolds(4, c);
    }
  }

  /** A call has one workspace, so that its runs never overlap, whatever their streams. */
  @Test
  void runsOfOneCallInTwoStreamsFollowEachOther() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream first = Stream.open(Samples.FIRST);
        Stream second = Stream.open(Samples.FIRST)) {
      Tensor a = Samples.tensor(scope, 4);
      Tensor b = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      AttentionCall call = copy(a, b);
      call.stream(first).run();
      call.stream(second).run();
      second.synchronize();
      assertEquals(0, Stub.pending(first.handle()));
    }
  }

  @Test
  void theOwnStreamStaysOpen() {
    Stream own = Samples.FIRST.stream();
    own.close();
    own.synchronize();
    assertSame(own, Samples.FIRST.stream());
    assertSame(Samples.FIRST, own.device());
  }

  @Test
  void theCpuHasNoStreams() {
    String message =
        assertThrows(UnsupportedOperationException.class, () -> Device.cpu().stream()).getMessage();
    assertEquals("cpu has no streams: its calls are done when they return", message);
    assertThrows(UnsupportedOperationException.class, () -> Stream.open(Device.cpu()));
  }

  @Test
  void aStreamOfAnotherDeviceIsRefused() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.open(Samples.SECOND)) {
      AttentionCall call = copy(Samples.tensor(scope, 1), Samples.tensor(scope, 2));
      String message =
          assertThrows(IllegalArgumentException.class, () -> call.stream(stream).run())
              .getMessage();
      assertTrue(
          message.endsWith("of cuda:1, expected one of the device of query, cuda:0"), message);
      call.stream(null).run();
    }
  }
}
