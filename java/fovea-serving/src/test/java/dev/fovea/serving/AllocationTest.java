package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.OperationCall;
import dev.fovea.RotaryTables;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A step of decoding by calls that were made before leaves nothing to collect. */
class AllocationTest {
  private static final int STEPS = 1000;
  private static final int SLOTS = 2;

  /** Of all steps together: less than an object for every other one. */
  private static final long ROOM = 512;

  /** By reflection: the module of the tests, that of the library, does not read the counter's. */
  private static final class Counter {
    private final Object threads;
    private final Method allocated;

    Counter() throws ReflectiveOperationException {
      threads =
          Class.forName("java.lang.management.ManagementFactory")
              .getMethod("getThreadMXBean")
              .invoke(null);
      allocated =
          Class.forName("com.sun.management.ThreadMXBean")
              .getMethod("getCurrentThreadAllocatedBytes");
    }

    /** Bytes of this thread so far; a few more by each call. */
    long bytes() throws ReflectiveOperationException {
      return (long) allocated.invoke(threads);
    }
  }

  /** The calls of all layers, in order. */
  private static List<OperationCall<?>> calls(
      Scope scope, DecoderShape shape, KvCache cache, KvBatch batch) {
    RotaryTables rotary = RotaryTables.of(scope, STEPS, shape.rotated, RotaryTables.BASE);
    List<OperationCall<?>> calls = new ArrayList<>();
    for (int layer = 0; layer < shape.layers; layer++) {
      Tensor key = scope.allocate(shape.type, SLOTS, 1, shape.keyHeads, shape.headDim).fill(1);
      Tensor value =
          scope.allocate(shape.type, SLOTS, 1, shape.keyHeads, shape.valueHeadDim).fill(3);
      int heads = shape.heads(DecoderShape.QUERY);
      Tensor query = scope.allocate(shape.type, SLOTS, 1, heads, shape.headDim).fill(1);
      Tensor out = scope.allocate(shape.type, SLOTS, 1, heads, shape.valueHeadDim).fill(0);
      CacheAppendCall append =
          CacheAppend.create()
              .call(key, batch.starts(), cache.key(layer))
              .value(value, cache.value(layer))
              .scales(cache.keyScales(layer), cache.valueScales(layer))
              .lengths(batch.counts())
              .pages(batch.table(), cache.longest())
              .rotary(rotary);
      calls.add(append.parallelism(1));
      calls.add(
          Attention.builder()
              .causal()
              .build()
              .call(query, cache.key(layer), cache.value(layer))
              .cacheScales(cache.keyScales(layer), cache.valueScales(layer))
              .keyLengths(batch.lengths())
              .pages(batch.table(), cache.longest())
              .out(out)
              .parallelism(1));
    }
    return calls;
  }

  private static void steps(KvBatch batch, int[] counts, List<OperationCall<?>> calls) {
    for (int step = 0; step < STEPS; step++) {
      batch.extend(counts);
      for (int i = 0; i < calls.size(); i++) {
        calls.get(i).run();
      }
      batch.commit();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "BFLOAT16", "INT8_TOKEN", "INT4_PAGE", "FLOAT8"})
  void aStepAllocatesNothing(CacheKind kind) throws ReflectiveOperationException {
    DecoderShape shape = new DecoderShape();
    shape.kind = kind;
    shape.layers = 2;
    shape.group = 2;
    shape.rotated = 4;
    int[] counts = new int[SLOTS];
    Arrays.fill(counts, 1);
    try (Scope scope = Scope.open();
        KvCache cache = shape.cache(16, SLOTS * (STEPS / 16 + 1)).longest(STEPS).make();
        KvBatch batch = cache.batch(SLOTS)) {
      for (int slot = 0; slot < SLOTS; slot++) {
        batch.put(slot, cache.open());
      }
      List<OperationCall<?>> calls = calls(scope, shape, cache, batch);
      Counter counter = new Counter();
      long before = 0;
      for (int round = 0; round < 2; round++) { // the first warms up
        for (int slot = 0; slot < SLOTS; slot++) {
          batch.get(slot).truncate(0);
        }
        before = counter.bytes();
        steps(batch, counts, calls);
      }
      long allocated = counter.bytes() - before;
      assertTrue(allocated <= ROOM, kind + ": " + allocated + " bytes in " + STEPS + " steps");
      assertArrayEquals(new int[] {STEPS, STEPS}, batch.lengths().toIntArray());
    }
  }
}
