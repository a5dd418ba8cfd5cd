package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ForkJoinPool;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What a backward pass hands to its library, and what of its call it follows. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AttentionBackwardTest {

  private final Attention attention = Attention.create();
  private final Scope scope = Scope.open(Recorder.DEVICE);
  private final Tensor query = floats(1, 128, 4, 64); // holds what is recorded
  private final Tensor key = floats(1, 8, 2, 64);
  private final Tensor value = floats(1, 8, 2, 32);
  private final Tensor out = floats(1, 128, 4, 32);
  private final Tensor lse = floats(1, 4, 128);
  private final Tensor dout = floats(1, 128, 4, 32);
  private final Tensor dquery = floats(1, 128, 4, 64);
  private final Tensor dkey = floats(1, 8, 2, 64);
  private final Tensor dvalue = floats(1, 8, 2, 32);
  private final AttentionCall call =
      attention.call(query, key, value).out(out).lse(lse).parallelism(1);
  private final AttentionBackward backward =
      call.gradients(dout).dquery(dquery).dkey(dkey).dvalue(dvalue);

  @BeforeEach
  void forward() {
    call.run();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor floats(long... shape) {
    return scope.allocate(DType.FLOAT32, shape);
  }

  /** Addresses of a run's operands: those that are required, and others. */
  private Map<String, Long> operands(
      Tensor dquery, Tensor dkey, Tensor dvalue, Map<String, Tensor> others) {
    Map<String, Tensor> all = new TreeMap<>(others);
    all.putAll(Map.of("query", query, "key", key, "value", value));
    all.putAll(Map.of("dout", dout, "out", out, "lse", lse));
    all.putAll(Map.of("dquery", dquery, "dkey", dkey, "dvalue", dvalue));
    Map<String, Long> addresses = new TreeMap<>();
    all.forEach((name, tensor) -> addresses.put(name, tensor.address()));
    return addresses;
  }

  private Map<String, Long> required(Tensor dquery, Tensor dkey, Tensor dvalue) {
    return operands(dquery, dkey, dvalue, Map.of());
  }

  private static void assertRefused(Class<? extends Exception> type, String text, Executable run) {
    String message = assertThrows(type, run).getMessage();
    assertTrue(message.contains(text), message);
  }

  @Test
  void everyOperandIsInItsPlace() {
    backward.run();
    assertEquals(required(dquery, dkey, dvalue), Recorder.take(query).getFirst().operands());

    Tensor bias = floats(1, 4, 128, 8);
    Tensor slopes = floats(4);
    Tensor sinks = floats(4);
    Tensor queryLengths = scope.allocate(DType.INT32, 1);
    Tensor keyLengths = scope.allocate(DType.INT32, 1);
    Tensor dbias = floats(1, 4, 128, 8);
    Tensor dslopes = floats(4);
    Tensor dsinks = floats(4);
    call.bias(bias).alibiSlopes(slopes).sinks(sinks);
    call.queryLengths(queryLengths).keyLengths(keyLengths).run();
    backward.dbias(dbias).dalibiSlopes(dslopes).dsinks(dsinks).run();
    Map<String, Long> all =
        operands(
            dquery,
            dkey,
            dvalue,
            Map.of(
                "bias", bias,
                "alibi_slopes", slopes,
                "sinks", sinks,
                "query_lengths", queryLengths,
                "key_lengths", keyLengths,
                "dbias", dbias,
                "dalibi_slopes", dslopes,
                "dsinks", dsinks));
    assertEquals(all, Recorder.take(query).getFirst().operands());
  }

  @Test
  void packedOperandsAreInTheirPlace() {
    Tensor cuQ = scope.allocate(DType.INT32, 3);
    Tensor cuK = scope.allocate(DType.INT32, 3);
    AttentionCall packed =
        attention
            .call(query.select(0, 0), key.select(0, 0), value.select(0, 0))
            .cuSeqlens(cuQ, cuK, 100, 6)
            .out(out.select(0, 0))
            .lse(lse.select(0, 0));
    packed.run();
    packed
        .gradients(dout.select(0, 0))
        .dquery(dquery.select(0, 0))
        .dkey(dkey.select(0, 0))
        .dvalue(dvalue.select(0, 0))
        .run();
    assertEquals(
        operands(dquery, dkey, dvalue, Map.of("cu_seqlens_q", cuQ, "cu_seqlens_k", cuK)),
        Recorder.take(query).getFirst().operands());
  }

  @Test
  void phasesRunInOrderWithSeedAndOffsetOfTheRun() {
    AttentionPlan plan = backward.plan();
    assertEquals("backward", plan.kernel());
    assertEquals(List.of(3L, 0L, 7L, 0L), Stream.of(0, 1, 2, 3).map(plan::items).toList());
    call.dropoutSeed(-5, 6).run();
    call.dropoutSeed(7, 8); // of the next run
    backward.run();
    List<Recorder.Entry> entries = Recorder.take(query);
    assertEquals(2, entries.size(), "phases without items are none");
    assertEquals(List.of(0L, 2L), entries.stream().map(Recorder.Entry::phase).toList());
    assertEquals(List.of(3L, 7L), entries.stream().map(Recorder.Entry::end).toList());
    for (Recorder.Entry entry : entries) {
      assertEquals(0, entry.begin());
      assertEquals(-5, entry.seed());
      assertEquals(6, entry.offset());
    }
  }

  @Test
  void workersShareItemsAndWorkspace() {
    try (ForkJoinPool pool = new ForkJoinPool(3)) {
      call.parallelism(4).executor(pool);
      for (int run = 0; run < 20; run++) {
        backward.run();
        List<Recorder.Entry> entries = Recorder.take(query);
        for (int phase = 0; phase < 4; phase++) {
          int wanted = phase;
          assertEquals(
              backward.plan().items(phase),
              entries.stream()
                  .filter(entry -> entry.phase() == wanted)
                  .mapToLong(entry -> entry.end() - entry.begin())
                  .sum());
        }
        assertEquals(1, entries.stream().map(Recorder.Entry::workspace).distinct().count());
        for (Recorder.Entry entry : entries) {
          assertTrue(entry.workspace() != 0 && entry.workspace() % 64 == 0);
          assertTrue(entry.scratch() != 0 && entry.scratch() % 64 == 0);
          assertNotEquals(entry.workspace(), entry.scratch());
        }
      }
    }
  }

  @Test
  void itFollowsItsCall() {
    AttentionPlan plan = backward.plan();
    assertSame(plan, backward.plan());
    Tensor other = floats(1, 128, 4, 32);
    call.out(other).run();
    backward.run();
    assertEquals(other.address(), Recorder.take(query).getFirst().operand("out"));
    assertSame(plan, backward.plan(), "same strides, same plan");
    call.keyLengths(scope.allocate(DType.INT32, 1));
    assertNotSame(plan, backward.plan());
    call.keyLengths(null);
    assertSame(plan, backward.plan());
    assertNotSame(plan, call.plan());
    Tensor forward = call.forward(scope);
    backward.run();
    assertEquals(forward.address(), Recorder.take(query).getFirst().operand("out"));
    call.run();
    backward.run();
    assertEquals(other.address(), Recorder.take(query).getFirst().operand("out"));
    call.lse(null).run();
    assertRefused(IllegalStateException.class, "lse of the call is not set", backward::run);
  }

  @Test
  void itsOwnBindingsMayChangeToo() {
    AttentionPlan plan = backward.plan();
    Tensor otherDout = floats(1, 128, 4, 32);
    Tensor otherDkey = floats(1, 8, 2, 64);
    backward.dout(otherDout).dkey(otherDkey).run();
    Recorder.Entry entry = Recorder.take(query).getFirst();
    assertEquals(otherDout.address(), entry.operand("dout"));
    assertEquals(otherDkey.address(), entry.operand("dkey"));
    assertSame(plan, backward.plan());
    AttentionPlan accumulating = backward.accumulate(true).plan();
    assertNotSame(plan, accumulating);
    assertEquals(1, FoveaAttentionSpec.ACCUMULATE.get(accumulating.spec()));
    assertEquals(0, FoveaAttentionSpec.DETERMINISTIC.get(accumulating.spec()));
    AttentionPlan deterministic = backward.deterministic(true).plan();
    assertNotSame(accumulating, deterministic);
    assertEquals(1, FoveaAttentionSpec.DETERMINISTIC.get(deterministic.spec()));
    assertSame(plan, backward.accumulate(false).deterministic(false).plan());
    assertThrows(NullPointerException.class, () -> backward.dout(null));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
  }

  @Test
  void weightsHaveNoPartInIt() {
    AttentionPlan plan = backward.plan();
    try (Scope other = Scope.open(Recorder.DEVICE)) {
      call.weights(other.allocate(DType.FLOAT32, 1, 4, 128, 8));
      assertSame(plan, backward.plan());
    }
    backward.run();
    assertThrows(IllegalStateException.class, call::run);
  }

  @Test
  void gradientsAreNewWhereTheyAreNotSet() {
    AttentionBackward fresh = call.gradients(dout);
    AttentionGradients gradients = fresh.backward(scope);
    assertArrayEquals(query.shape(), gradients.query().shape());
    assertArrayEquals(key.shape(), gradients.key().shape());
    assertArrayEquals(value.shape(), gradients.value().shape());
    assertEquals(
        required(gradients.query(), gradients.key(), gradients.value()),
        Recorder.take(query).getFirst().operands());
    assertNotEquals(gradients.key().address(), fresh.backward(scope).key().address());
    assertRefused(IllegalStateException.class, "dquery is not set", fresh::run);

    Tensor half = scope.allocate(DType.FLOAT16, 1, 8, 2, 64);
    AttentionGradients mixed = fresh.dkey(half).backward(scope);
    assertSame(half, mixed.key());
    assertEquals(DType.FLOAT16, mixed.query().dtype());
    assertEquals(DType.FLOAT16, mixed.value().dtype());
  }

  @Test
  void inOneCall() {
    AttentionGradients gradients = attention.backward(scope, dout, query, key, value, out, lse);
    Recorder.Entry entry = Recorder.take(query).getFirst();
    assertEquals(required(gradients.query(), gradients.key(), gradients.value()), entry.operands());
    attention.backward(scope, dout, query, key, value, out, lse);
    assertEquals(entry.workspace(), Recorder.take(query).getFirst().workspace(), "memory is kept");
    assertThrows(
        NullPointerException.class,
        () -> attention.backward(scope, dout, query, key, value, out, null));
  }

  @Test
  void plansAreKeptByShape() {
    var builder = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 64).lse().weights();
    AttentionShape forward = builder.build();
    AttentionShape shape = builder.backward().build();
    AttentionPlan plan = attention.plan(Recorder.DEVICE, shape);
    assertSame(plan, attention.plan(Recorder.DEVICE, shape));
    assertNotSame(plan, attention.plan(Recorder.DEVICE, forward));
    assertNotSame(plan, attention.plan(Recorder.DEVICE, builder.accumulate().build()));
    assertEquals("forward", attention.plan(Recorder.DEVICE, forward).kernel());
    assertEquals("backward", plan.kernel());
  }

  /** By the library of the CPU, which checks the numbers before it looks for a kernel. */
  @Test
  void whatThePlannerRefusesIsAnExceptionWithItsText() {
    NativeTest.requireLibrary();
    assertPlanRefused("the backward pass needs the forward's lse", b -> b);
    assertPlanRefused("the forward had no sinks", b -> b.lse().dsinks());
    assertPlanRefused(
        "the strides of dvalue make elements overlap", b -> b.lse().dvalue(0, 64, 32));
  }

  private void assertPlanRefused(String text, UnaryOperator<AttentionShape.Builder> change) {
    var builder = AttentionShape.dense(DType.FLOAT32, 2, 16, 16, 2, 2, 64).backward();
    AttentionShape shape = change.apply(builder).build();
    assertRefused(IllegalArgumentException.class, text, () -> attention.plan(Device.cpu(), shape));
  }

  @Test
  void whatTheDeviceLacksIsAnExceptionWithItsText() {
    backward.dquery(scope.allocate(DType.BFLOAT16, 1, 128, 4, 64));
    backward.dkey(scope.allocate(DType.BFLOAT16, 1, 8, 2, 64));
    backward.dvalue(scope.allocate(DType.BFLOAT16, 1, 8, 2, 32));
    assertRefused(UnsupportedOperationException.class, "there is no backward pass", backward::plan);
    assertRefused(UnsupportedOperationException.class, "there is no backward pass", backward::run);
    backward.dquery(dquery).dkey(dkey).dvalue(dvalue).run(); // and it works again
  }

  @Test
  void whatARunRefusesIsAnExceptionWithItsText() {
    call.dropoutSeed(0, 99).run();
    for (int workers = 1; workers <= 4; workers++) {
      call.parallelism(workers);
      assertRefused(IllegalArgumentException.class, "offset 99 is to fail", backward::run);
    }
    call.dropoutSeed(0, 0).run();
    backward.run();
  }

  @Test
  void aClosedScopeIsRefused() {
    Scope own = Scope.open(Recorder.DEVICE);
    backward.dkey(own.allocate(DType.FLOAT32, 1, 8, 2, 64)).run();
    own.close();
    assertRefused(IllegalStateException.class, "the scope of this memory is closed", backward::run);
    assertThrows(IllegalStateException.class, () -> call.gradients(dout).backward(own));
    backward.dkey(dkey).run();
  }

  @Test
  void aScopeInUseStaysOpen() {
    Scope own = Scope.open(Recorder.DEVICE);
    backward.dkey(own.allocate(DType.FLOAT32, 1, 8, 2, 64));
    List<String> refused = new ArrayList<>();
    call.parallelism(2)
        .executor(
            task ->
                refused.add(assertThrows(IllegalStateException.class, own::close).getMessage()));
    backward.run();
    assertTrue(refused.getFirst().contains("it stays open"), refused.getFirst());
    own.close();
  }

  @Test
  void confinedMemoryRunsOnItsThreadAlone() {
    List<Runnable> submitted = new ArrayList<>();
    call.parallelism(4).executor(submitted::add);
    try (Arena arena = Arena.ofConfined()) {
      Tensor confined = Tensor.of(arena.allocate(4096, 64), DType.FLOAT32, 1, 8, 2, 64);
      backward.dkey(confined.on(Recorder.DEVICE)).run();
      assertEquals(0, submitted.size());
    }
    backward.dkey(dkey).run();
    assertTrue(submitted.size() > 0);
  }

  @Test
  void resultsMustBeWritable() {
    Tensor locked =
        Tensor.of(Arena.ofAuto().allocate(4096, 64).asReadOnly(), DType.FLOAT32, 1, 8, 2, 64);
    backward.dkey(locked);
    assertRefused(IllegalArgumentException.class, "dkey is over a read-only", backward::run);
  }
}
