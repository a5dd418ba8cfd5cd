package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a call costs the Java heap, and what a recording shows of it. */
class CostTest {
  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  /**
   * Bytes of one run. The first rounds are interpreted and compiled, which may allocate, so the
   * least of several counts; more are made only while that is above what is allowed.
   */
  private static double bytesPerRun(Runnable call, int runs, double allowed) {
    double least = Double.MAX_VALUE;
    for (int round = 0; round < 20 && least > allowed; round++) {
      long before = AllocatedBytes.get();
      for (int run = 0; run < runs; run++) {
        call.run();
      }
      long after = AllocatedBytes.get();
      least = Math.min(least, (after - before) / (double) runs);
    }
    return least;
  }

  @Test
  void anInlineRunAllocatesNothing() {
    try (Scope scope = Scope.open();
        Scope other = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT32, 1, 2, 2, 16);
      Tensor key = other.allocate(DType.FLOAT32, 1, 3, 1, 16);
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 2, 2);
      AttentionCall call =
          Attention.builder()
              .causal()
              .build()
              .call(query, key, key)
              .out(scope.allocate(DType.FLOAT32, 1, 2, 2, 16))
              .lse(lse)
              .keyLengths(other.copyOf(new int[] {2}, 1));
      assertEquals(0, bytesPerRun(call::run, 2000, 0));
    }
  }

  @Test
  void anInlineBackwardRunAllocatesNothing() {
    try (Scope scope = Scope.open(Recorder.DEVICE)) {
      Tensor query = scope.allocate(DType.FLOAT32, 1, 128, 4, 64); // holds what is recorded
      Tensor key = scope.allocate(DType.FLOAT32, 1, 8, 2, 64);
      AttentionCall call =
          Attention.create()
              .call(query, key, key)
              .out(scope.allocate(DType.FLOAT32, 1, 128, 4, 64))
              .lse(scope.allocate(DType.FLOAT32, 1, 4, 128))
              .parallelism(1);
      call.run();
      AttentionBackward backward =
          call.gradients(query)
              .dquery(scope.allocate(DType.FLOAT32, 1, 128, 4, 64))
              .dkey(scope.allocate(DType.FLOAT32, 1, 8, 2, 64))
              .dvalue(scope.allocate(DType.FLOAT32, 1, 8, 2, 64));
      assertEquals(0, bytesPerRun(backward::run, 2000, 0));
    }
  }

  @Test
  void aHelperCostsTheNodeOfAQueue() {
    try (Scope scope = Scope.open();
        ForkJoinPool pool = new ForkJoinPool(3)) {
      Tensor tensor = scope.allocate(DType.FLOAT32, 1, 64, 8, 64);
      AttentionCall call =
          Attention.create()
              .call(tensor, tensor, tensor)
              .out(scope.allocate(DType.FLOAT32, 1, 64, 8, 64))
              .executor(pool);
      for (int workers = 2; workers <= 4; workers++) {
        double allowed = 64 * (workers - 1);
        double bytes = bytesPerRun(call.parallelism(workers)::run, 50, allowed);
        assertTrue(bytes <= allowed, workers + " workers: " + bytes + " B");
      }
    }
  }

  @Test
  void aRecordingShowsEveryRunIfItAsksForThem(@TempDir Path folder) throws Exception {
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT32, 2, 3, 4, 16);
      Tensor key = scope.allocate(DType.FLOAT32, 2, 5, 2, 16);
      Attention attention = Attention.builder().causal().build();
      AttentionCall call =
          attention.call(query, key, key).out(scope.allocate(DType.FLOAT32, 2, 3, 4, 16));
      assertEquals(0, record(call::run, folder.resolve("off.jfr"), false).size());
      List<RecordedEvent> events = record(call::run, folder.resolve("on.jfr"), true);
      assertEquals(3, events.size());
      RecordedEvent event = events.getFirst();
      assertEquals("cpu", event.getString("device"));
      assertFalse(event.getBoolean("backward"));
      assertEquals(call.plan().kernel(), event.getString("kernel"));
      assertEquals("FLOAT32", event.getString("dtype"));
      assertEquals("causal", event.getString("mask"));
      assertEquals("attention", event.getString("operation"));
      assertEquals("B 2, Sq 3, Sk 5, Hq 4, Hk 2, D 16, Dv 16", event.getString("shape"));
      assertEquals(1, event.getInt("workers"));
      assertTrue(event.getDouble("flops") > 0);
      assertTrue(event.getDuration().toNanos() > 0);
    }
  }

  @Test
  void aRecordingTellsABackwardPassFromItsForward(@TempDir Path folder) throws Exception {
    try (Scope scope = Scope.open(Recorder.DEVICE)) {
      Tensor tensor = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
      AttentionCall call =
          Attention.create()
              .call(tensor, tensor, tensor)
              .out(scope.allocate(DType.FLOAT32, 1, 128, 4, 64))
              .lse(scope.allocate(DType.FLOAT32, 1, 4, 128));
      call.run();
      AttentionBackward backward =
          call.gradients(tensor)
              .dquery(scope.allocate(DType.FLOAT32, 1, 128, 4, 64))
              .dkey(scope.allocate(DType.FLOAT32, 1, 128, 4, 64))
              .dvalue(scope.allocate(DType.FLOAT32, 1, 128, 4, 64));
      List<RecordedEvent> events = record(backward::run, folder.resolve("on.jfr"), true);
      assertEquals(3, events.size());
      RecordedEvent event = events.getFirst();
      assertTrue(event.getBoolean("backward"));
      assertEquals("recorder", event.getString("device"));
      assertEquals(backward.plan().kernel(), event.getString("kernel"));
      assertEquals("B 1, Sq 128, Sk 128, Hq 4, Hk 4, D 64, Dv 64", event.getString("shape"));
    }
  }

  private static List<RecordedEvent> record(Runnable call, Path file, boolean enabled)
      throws Exception {
    try (Recording recording = new Recording()) {
      if (enabled) {
        recording.enable("dev.fovea.Attention");
      }
      recording.start();
      for (int run = 0; run < 3; run++) {
        call.run();
      }
      recording.stop();
      recording.dump(file);
    }
    assertTrue(Files.size(file) > 0);
    return RecordingFile.readAllEvents(file).stream()
        .filter(event -> event.getEventType().getName().equals("dev.fovea.Attention"))
        .toList();
  }
}
