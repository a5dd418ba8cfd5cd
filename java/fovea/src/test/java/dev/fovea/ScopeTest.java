package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Who owns memory, and for how long. */
class ScopeTest {
  @Test
  void memoryIsZeroedAndAligned() {
    try (Scope scope = Scope.open()) {
      assertSame(Device.cpu(), scope.device());
      for (DType type : DType.values()) {
        Tensor tensor = scope.allocate(type, 3, 7);
        assertEquals(0, tensor.address() % 64);
        assertEquals(21L * type.byteSize(), tensor.segment().byteSize());
        for (byte b : tensor.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)) {
          assertEquals(0, b);
        }
      }
      assertEquals(0, scope.allocate(DType.FLOAT32, 0, 5).elements());
      assertArrayEquals(new float[] {1, 2}, scope.copyOf(new float[] {1, 2}, 2).toFloatArray());
      assertArrayEquals(new int[] {1, 2}, scope.copyOf(new int[] {1, 2}, 1, 2).toIntArray());
    }
  }

  @Test
  void badShapesAreRefused() {
    try (Scope scope = Scope.open()) {
      assertThrows(IllegalArgumentException.class, () -> scope.allocate(DType.FLOAT32, -1));
      assertThrows(
          IllegalArgumentException.class, () -> scope.allocate(DType.FLOAT32, 1L << 40, 1L << 40));
      assertThrows(IllegalArgumentException.class, () -> scope.copyOf(new float[] {1, 2, 3}, 2));
      assertTrue(scope.isOpen());
    }
  }

  @Test
  void afterCloseNothingWorksAndNothingCrashes() {
    Scope scope = Scope.open();
    Tensor tensor = scope.allocate(DType.FLOAT32, 4);
    scope.close();
    scope.close();
    assertFalse(scope.isOpen());
    assertThrows(IllegalStateException.class, () -> tensor.getFloat(0));
    assertThrows(IllegalStateException.class, () -> scope.allocate(DType.FLOAT32, 1));
    assertThrows(IllegalStateException.class, scope::acquire);
  }

  @Test
  void itDoesNotCloseDuringAUse() {
    Scope scope = Scope.open();
    Tensor tensor = scope.allocate(DType.FLOAT32, 1).fill(3);
    scope.acquire();
    scope.acquire();
    String message = assertThrows(IllegalStateException.class, scope::close).getMessage();
    assertEquals(
        "the scope cannot be closed: 2 call(s) or graph(s) use its memory; it stays open", message);
    assertTrue(scope.isOpen());
    assertEquals(3, tensor.getFloat(0));
    scope.release();
    assertThrows(IllegalStateException.class, scope::close);
    scope.release();
    scope.close();
    assertFalse(scope.isOpen());
  }

  /** Whoever got in finds the memory there until it leaves; whoever did not is told so. */
  @Test
  void usesAndCloseExcludeEachOther() throws Exception {
    for (int round = 0; round < 200; round++) {
      Scope scope = Scope.open();
      Tensor tensor = scope.allocate(DType.FLOAT32, 1).fill(1);
      AtomicInteger broken = new AtomicInteger();
      CountDownLatch started = new CountDownLatch(1);
      Thread user =
          Thread.ofPlatform()
              .start(
                  () -> {
                    started.countDown();
                    while (true) {
                      try {
                        scope.acquire();
                      } catch (IllegalStateException closed) {
                        return;
                      }
                      try {
                        if (tensor.getFloat(0) != 1) {
                          broken.incrementAndGet();
                        }
                      } catch (IllegalStateException closedInUse) {
                        broken.incrementAndGet();
                      } finally {
                        scope.release();
                      }
                    }
                  });
      started.await();
      while (scope.isOpen()) {
        try {
          scope.close();
        } catch (IllegalStateException inUse) {
          Thread.onSpinWait();
        }
      }
      user.join();
      assertEquals(0, broken.get());
    }
  }

  /** One that is not ours, and so not counted: a read into the memory, until there is something. */
  @Test
  void itStaysOpenDuringANativeCall() throws Exception {
    Scope scope = Scope.open();
    Tensor tensor = scope.allocate(DType.FLOAT32, 1);
    Pipe pipe = Pipe.open();
    ByteBuffer buffer = tensor.segment().asByteBuffer();
    FutureTask<Integer> read = new FutureTask<>(() -> pipe.source().read(buffer));
    Thread reader = Thread.ofPlatform().start(read);
    while (Stream.of(reader.getStackTrace())
        .noneMatch(frame -> frame.getMethodName().equals("read0"))) {
      Thread.onSpinWait();
    }
    String message = assertThrows(IllegalStateException.class, scope::close).getMessage();
    assertEquals(
        "the scope cannot be closed: a native call in flight uses its memory; it stays open",
        message);
    assertTrue(scope.isOpen());
    scope.allocate(DType.FLOAT32, 1);
    pipe.sink().write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}));
    assertEquals(4, read.get());
    scope.close();
    assertFalse(scope.isOpen());
  }
}
