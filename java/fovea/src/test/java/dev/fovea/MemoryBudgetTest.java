package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What scopes hold is counted, limited, given back once, and shown. */
class MemoryBudgetTest {
  private static final HostMemoryLimit MEBIBYTE = HostMemoryLimit.parse("1m");

  private final FakeBackend backend = new FakeBackend("fake", true);
  private final Device device =
      Device.of(backend, new MemoryBudget(() -> MEBIBYTE, bytes -> false));

  private void assertHeld(long bytes, int scopes) {
    assertEquals(bytes, device.memoryHeld());
    assertEquals(scopes, device.openScopes());
  }

  @Test
  void scopesTogetherHoldNoMoreThanTheLimit() {
    assertEquals(1 << 20, device.memoryLimit());
    Scope first = Scope.open(device);
    try (Scope second = Scope.open(device)) {
      first.allocate(DType.BFLOAT16, 3, 1 << 17);
      assertHeld(3 << 18, 2);
      FoveaException e =
          assertThrows(FoveaException.class, () -> second.allocate(DType.FLOAT32, 1 << 17));
      assertEquals(Status.OUT_OF_MEMORY, e.status());
      assertEquals(
          "%,d bytes are too many: scopes hold %,d of the %,d bytes that they may hold, which is"
                  .formatted(1 << 19, 3 << 18, 1 << 20)
              + " -Dfovea.memory.limit=1m; -Dfovea.memory.limit=SIZE, such as 8g, allows more",
          e.getMessage());
      assertHeld(3 << 18, 2);
      assertEquals(0, second.memoryHeld());
      second.allocate(DType.FLOAT32, 1 << 16); // to the last byte
      assertThrows(FoveaException.class, () -> second.allocate(DType.FLOAT16, 1));
      first.close();
      assertHeld(1 << 18, 1);
      second.allocate(DType.FLOAT32, 1 << 17);
    }
    assertHeld(0, 0);
  }

  @Test
  void sizesThatOverflowTogetherAreRefused() {
    try (Scope scope = Scope.open(device)) {
      scope.allocate(DType.FLOAT32, 4);
      assertThrows(FoveaException.class, () -> scope.allocate(DType.FLOAT32, Long.MAX_VALUE / 4));
    }
  }

  @Test
  void closingGivesBackOnce() {
    Scope other = Scope.open(device);
    other.allocate(DType.FLOAT32, 1024);
    Scope scope = Scope.open(device);
    scope.allocate(DType.FLOAT32, 1024);
    scope.close();
    scope.close();
    assertHeld(4096, 1);
    other.close();
    assertHeld(0, 0);
  }

  @Test
  void aScopeThatDoesNotCloseGivesNothingBack() {
    Scope scope = Scope.open(device);
    scope.allocate(DType.FLOAT32, 1024);
    scope.acquire();
    assertThrows(IllegalStateException.class, scope::close);
    assertHeld(4096, 1);
    scope.release();
    scope.close();
    assertHeld(0, 0);
  }

  @Test
  void whatCouldNotBeAllocatedIsGivenBack() {
    try (Scope scope = Scope.open(device)) {
      backend.failure = new OutOfMemoryError("Unable to allocate 4096 bytes");
      FoveaException e =
          assertThrows(FoveaException.class, () -> scope.allocate(DType.FLOAT32, 1024));
      assertEquals(Status.OUT_OF_MEMORY, e.status());
      assertEquals(
          "%,d bytes cannot be had, although scopes hold 0 of the %,d that they may hold: Unable to"
                  .formatted(4096, 1 << 20)
              + " allocate 4096 bytes",
          e.getMessage());
      assertSame(backend.failure, e.getCause());
      assertHeld(0, 1);
      backend.failure = new StackOverflowError();
      assertThrows(StackOverflowError.class, () -> scope.allocate(DType.FLOAT32, 1024));
      assertHeld(0, 1);
    }
  }

  /** More than an address space, whatever may be held. */
  @Test
  void whatTheSystemRefusesIsTheSameException() {
    HostMemoryLimit none = new HostMemoryLimit(Long.MAX_VALUE, "no limit");
    Device unlimited = Device.of(backend, new MemoryBudget(() -> none, bytes -> false));
    try (Scope scope = Scope.open(unlimited)) {
      FoveaException e =
          assertThrows(FoveaException.class, () -> scope.allocate(DType.FLOAT32, 1L << 52));
      assertEquals(Status.OUT_OF_MEMORY, e.status());
      assertEquals(0, unlimited.memoryHeld());
    }
  }

  @Test
  void childrenCountOnceAndCloseWithTheirParent() {
    Scope parent = Scope.open(device);
    Scope child = parent.child();
    Scope grandchild = child.child();
    parent.allocate(DType.FLOAT32, 1);
    child.allocate(DType.FLOAT32, 2);
    Tensor tensor = grandchild.allocate(DType.FLOAT32, 4);
    assertHeld(28, 3);
    assertEquals(28, parent.memoryHeld());
    assertEquals(24, child.memoryHeld());
    child.close();
    assertFalse(grandchild.isOpen());
    assertThrows(IllegalStateException.class, () -> tensor.getFloat(0));
    assertHeld(4, 1);
    assertEquals(4, parent.memoryHeld());
    Scope second = parent.child();
    second.allocate(DType.FLOAT32, 8);
    parent.close();
    assertFalse(second.isOpen());
    assertThrows(IllegalStateException.class, parent::child);
    second.close();
    child.close();
    assertHeld(0, 0);
  }

  @Test
  void aCallOnAChildKeepsAllOfThemOpen() {
    Scope parent = Scope.open(device);
    Scope idle = parent.child();
    Scope busy = parent.child();
    busy.acquire();
    assertThrows(IllegalStateException.class, parent::close);
    for (Scope scope : List.of(parent, idle, busy)) {
      assertTrue(scope.isOpen());
      scope.allocate(DType.FLOAT32, 1).setFloat(1, 0);
    }
    busy.release();
    parent.close();
    assertHeld(0, 0);
  }

  @Test
  void memoryOfAnArenaGoesWithTheArena() {
    try (Arena arena = Arena.ofConfined()) {
      Scope scope = Scope.over(arena, device);
      Tensor tensor = scope.allocate(DType.FLOAT32, 2, 3).fill(1);
      assertHeld(24, 1);
      assertTrue(tensor.segment().isAccessibleBy(Thread.currentThread()));
      assertFalse(tensor.segment().isAccessibleBy(new Thread()));
      scope.close();
      assertThrows(IllegalStateException.class, () -> scope.allocate(DType.FLOAT32, 1));
      assertThrows(IllegalStateException.class, scope::acquire);
      assertHeld(24, 1);
    }
    assertHeld(0, 0);
  }

  @Test
  void anArenaClosedFirstIsAnException() {
    Scope scope;
    Tensor tensor;
    try (Arena arena = Arena.ofShared()) {
      scope = Scope.over(arena, device);
      tensor = scope.allocate(DType.FLOAT32, 6);
    }
    assertHeld(0, 0);
    assertThrows(IllegalStateException.class, () -> tensor.getFloat(0));
    assertThrows(IllegalStateException.class, () -> scope.allocate(DType.FLOAT32, 1));
    scope.close();
    assertHeld(0, 0);
  }

  /** An arena may close between the two steps of an allocation. */
  @Test
  void whatIsGivenBackAfterTheMemoryHasGoneCountsNoMore() {
    MemoryBudget.Account account = device.budget().open("fake");
    account.reserve(10);
    account.close();
    account.giveBack(10);
    account.close();
    assertHeld(0, 0);
    assertThrows(IllegalStateException.class, () -> account.reserve(1));
    assertHeld(0, 0);
  }

  @Test
  void arenasThatCannotBeUsedAreRefused() throws Exception {
    Arena closed = Arena.ofShared();
    closed.close();
    assertThrows(IllegalStateException.class, () -> Scope.over(closed, device));
    try (Arena confined = Arena.ofConfined()) {
      Scope scope = Scope.over(confined, device);
      List<Throwable> failures = new ArrayList<>();
      Thread other =
          new Thread(
              () -> {
                failures.add(
                    assertThrows(WrongThreadException.class, () -> Scope.over(confined, device)));
                failures.add(
                    assertThrows(
                        WrongThreadException.class, () -> scope.allocate(DType.FLOAT32, 1)));
              });
      other.start();
      other.join();
      assertEquals(2, failures.size());
      assertHeld(0, 1);
    }
    assertHeld(0, 0);
  }

  @Test
  void automaticAndGlobalArenasServeToo() {
    Scope automatic = Scope.over(Arena.ofAuto(), device);
    assertEquals(3, automatic.allocate(DType.FLOAT32, 1).fill(3).getFloat(0));
    automatic.close();
    Scope global = Scope.over(Arena.global(), device);
    assertEquals(3, global.allocate(DType.FLOAT32, 1).fill(3).getFloat(0));
    global.close();
    assertHeld(8, 2);
  }

  /** The arena's closing does not hold the scope, or it would hold the arena. */
  @Test
  @Timeout(60)
  void anAutomaticArenaIsGivenBackWhenNobodyHoldsIt() throws InterruptedException {
    Scope.over(Arena.ofAuto(), device).allocate(DType.FLOAT32, 1);
    while (device.memoryHeld() > 0) {
      System.gc();
      Thread.sleep(1); // collections in a row starve the cleaner: 114 were seen, with this 2
    }
    assertHeld(0, 0);
  }

  @Test
  void theCountIsRightUnderConcurrency() throws Exception {
    int threads = 4;
    CyclicBarrier start = new CyclicBarrier(threads);
    List<Thread> all = new ArrayList<>();
    List<Throwable> wrong = Collections.synchronizedList(new ArrayList<>());
    for (int t = 0; t < threads; t++) {
      all.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      start.await();
                      for (int round = 0; round < 50; round++) {
                        allocateUntilRefused();
                      }
                    } catch (Throwable failure) {
                      wrong.add(failure);
                    }
                  }));
    }
    for (Thread thread : all) {
      thread.join();
    }
    assertEquals(List.of(), wrong);
    assertHeld(0, 0);
  }

  private void allocateUntilRefused() {
    try (Scope scope = Scope.open(device)) {
      while (true) {
        scope.allocate(DType.FLOAT32, 1 << 15);
        assertTrue(device.memoryHeld() <= 1 << 20);
      }
    } catch (FoveaException full) {
      assertEquals(Status.OUT_OF_MEMORY, full.status());
    }
  }

  @Test
  void aDeviceCountsItsOwnMemory() {
    Device far = Device.of(new FakeBackend("far", false));
    long host = Device.cpu().memoryHeld();
    try (Scope scope = Scope.open(far)) {
      scope.allocate(DType.FLOAT32, 10);
      assertEquals(40, far.memoryHeld());
      assertEquals(1, far.openScopes());
      assertEquals(Long.MAX_VALUE, far.memoryLimit());
    }
    assertEquals(0, far.memoryHeld());
    assertEquals(host, Device.cpu().memoryHeld());
  }

  @Test
  void aScopeSaysWhatItIs() {
    Scope scope = Scope.open(device);
    scope.allocate(DType.FLOAT32, 25);
    assertEquals("scope of fake, open, 100 bytes", scope.toString());
    scope.close();
    assertEquals("scope of fake, closed, 0 bytes", scope.toString());
  }

  @Test
  void recordingsShowAllocationsAndClosings(@TempDir Path folder) throws Exception {
    try (Recording recording = new Recording()) {
      recording.enable("dev.fovea.ScopeAllocation");
      recording.enable("dev.fovea.ScopeClose");
      recording.start();
      try (Scope scope = Scope.open(device)) {
        scope.allocate(DType.FLOAT32, 2, 3);
        scope.allocate(DType.BFLOAT16, 5);
      }
      recording.stop();
      recording.dump(folder.resolve("on.jfr"));
    }
    List<RecordedEvent> events =
        RecordingFile.readAllEvents(folder.resolve("on.jfr")).stream()
            .filter(event -> event.getString("device").equals("fake"))
            .toList();
    assertEquals(3, events.size(), events.toString());
    RecordedEvent second = events.get(1);
    assertEquals("dev.fovea.ScopeAllocation", second.getEventType().getName());
    assertEquals("BFLOAT16", second.getString("dtype"));
    assertEquals("[5]", second.getString("shape"));
    assertEquals(10, second.getLong("bytes"));
    assertEquals(34, second.getLong("scopeBytes"));
    assertEquals(34, second.getLong("held"));
    RecordedEvent close = events.getLast();
    assertEquals("dev.fovea.ScopeClose", close.getEventType().getName());
    assertEquals(34, close.getLong("bytes"));
    assertEquals(0, close.getLong("held"));
    assertTrue(close.getStackTrace().getFrames().size() > 1);
  }

  @Test
  void recordingsThatDoNotAskHaveNoEvents(@TempDir Path folder) throws Exception {
    try (Recording recording = new Recording()) {
      recording.start();
      try (Scope scope = Scope.open(device)) {
        scope.allocate(DType.FLOAT32, 2, 3);
      }
      recording.stop();
      recording.dump(folder.resolve("off.jfr"));
    }
    assertTrue(
        RecordingFile.readAllEvents(folder.resolve("off.jfr")).stream()
            .noneMatch(event -> event.getEventType().getName().startsWith("dev.fovea.Scope")));
  }
}
