package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What cannot be is refused in words that say why, and leaves everything as it was. */
class WrongUseTest {
  private final Scope scope = Scope.open();
  private final KvCache cache = KvCache.on(Device.cpu()).headDim(4).pageSize(4).pages(6).make();
  private final KvBatch batch = cache.batch(2);

  @AfterEach
  void close() {
    cache.close();
    scope.close();
  }

  private static void refused(Class<? extends RuntimeException> by, String why, Executable what) {
    String message = assertThrows(by, what).getMessage();
    assertTrue(message.contains(why), message);
  }

  private static void illegal(String why, Executable what) {
    refused(IllegalArgumentException.class, why, what);
  }

  private static void notNow(String why, Executable what) {
    refused(IllegalStateException.class, why, what);
  }

  private CacheAppendCall append(Tensor table, long longest) {
    return CacheAppend.create()
        .call(scope.allocate(DType.FLOAT32, 2, 1, 1, 4).fill(1), batch.starts(), cache.key(0))
        .value(scope.allocate(DType.FLOAT32, 2, 1, 1, 4).fill(2), cache.value(0))
        .lengths(batch.counts())
        .pages(table, longest);
  }

  private AttentionCall attend(Tensor table, long longest) {
    return Attention.create()
        .call(scope.allocate(DType.FLOAT32, 2, 1, 1, 4).fill(1), cache.key(0), cache.value(0))
        .keyLengths(batch.lengths())
        .pages(table, longest)
        .out(scope.allocate(DType.FLOAT32, 2, 1, 1, 4).fill(7));
  }

  /** Calls that are bound, and have run, to memory that is no more. */
  @Test
  void aClosedCache() {
    batch.put(0, cache.open());
    batch.extend(1, 0);
    CacheAppendCall append = append(batch.table(), cache.longest());
    AttentionCall attend = attend(batch.table(), cache.longest());
    append.run();
    attend.run();
    AttentionCall never = attend(batch.table(), cache.longest());
    batch.commit();
    cache.close();
    notNow("closed", append::run);
    notNow("closed", attend::run);
    notNow("closed", never::run);
    notNow("closed", () -> cache.batch(1));
    notNow("closed", () -> cache.save(Path.of("nowhere"), List.of()));
    notNow("closed", () -> batch.extend(1, 0));
    notNow("closed", batch::commit);
  }

  @Test
  void aClosedBatch() {
    KvSequence sequence = cache.open();
    batch.put(0, sequence);
    batch.extend(5, 0);
    CacheAppendCall append = append(batch.table(), cache.longest());
    append.plan();
    batch.close();
    assertEquals(0, sequence.length());
    assertEquals(6, cache.freePages());
    notNow("closed", append::run);
    notNow("the batch is closed", () -> batch.extend(1, 0));
    notNow("the batch is closed", () -> batch.put(0, sequence));
    try (KvBatch other = cache.batch(1)) {
      other.put(0, sequence);
      other.extend(1);
      other.commit();
      assertEquals(1, sequence.length());
    }
  }

  @Test
  void aClosedSequence() {
    KvSequence sequence = cache.open();
    sequence.close();
    sequence.close();
    notNow("the sequence is closed", sequence::fork);
    notNow("the sequence is closed", () -> sequence.truncate(0));
    notNow("the sequence is closed", () -> sequence.forget(0));
    notNow("the sequence is closed", () -> batch.put(0, sequence));
    assertEquals(0, sequence.length());
  }

  @Test
  void tooLong() {
    try (KvCache small =
            KvCache.on(Device.cpu()).headDim(4).pageSize(4).pages(9).longest(10).make();
        KvBatch one = small.batch(1)) {
      KvSequence sequence = small.open();
      one.put(0, sequence);
      illegal("tokens of slot 0 is 11, expected 0 to 10", () -> one.extend(11));
      one.extend(10);
      one.commit();
      illegal("tokens of slot 0 is 1, expected 0 to 0", () -> one.extend(1));
      illegal("expected 0 to 0", () -> one.extend(Integer.MAX_VALUE));
      one.extend(0);
      one.commit();
      assertEquals(10, sequence.length());
      sequence.forget(8); // still of the length
      illegal("expected 0 to 0", () -> one.extend(1));
      sequence.truncate(9);
      one.extend(1);
      one.cancel();
      assertEquals(9, sequence.length());
    }
    illegal("tokens of slot 1 is 1, expected 0 to 0", () -> batch.extend(0, 1));
    long beyond = cache.longest() + 1;
    illegal("25", () -> attend(batch.table(), beyond).run());
    illegal("25", () -> append(batch.table(), beyond).run());
  }

  /** Lengths that a plan was not made for. */
  @Test
  void longerThanThePlan() {
    batch.put(0, cache.open());
    batch.extend(5, 0);
    batch.commit();
    batch.extend(1, 0);
    byte[] before = bytes();
    illegal("keyLengths[0] is 6", () -> attend(batch.table(), 5).run());
    illegal("", () -> append(batch.table(), 5).run());
    assertArrayEquals(before, bytes());
    attend(batch.table(), 6).run();
    append(batch.table(), 6).run();
  }

  private byte[] bytes() {
    float[] all = cache.key(0).toFloatArray();
    byte[] bytes = new byte[4 * all.length];
    for (int i = 0; i < all.length; i++) {
      int bits = Float.floatToRawIntBits(all[i]);
      for (int k = 0; k < 4; k++) {
        bytes[4 * i + k] = (byte) (bits >> 8 * k);
      }
    }
    return bytes;
  }

  @Test
  void aWrongTable() {
    batch.put(0, cache.open());
    batch.put(1, cache.open());
    batch.extend(5, 5);
    batch.commit();
    batch.extend(1, 1);
    byte[] before = bytes();
    for (int wrong : new int[] {-7, 6, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      Tensor table = scope.copyOf(batch.table().toIntArray(), batch.table().shape());
      table.setInt(wrong, 1, 1);
      String why = "blockTable[1, 1] is %d, expected 0 to 5".formatted(wrong);
      illegal(why, () -> append(table, cache.longest()).run());
      assertArrayEquals(before, bytes());
      AttentionCall attend = attend(table, cache.longest());
      illegal(why, attend::run);
      table.setInt(batch.table().getInt(1, 1), 1, 1);
      attend.run(); // what threw is as usable as before
    }
    Tensor ofOne = batch.table().slice(0, 0, 1);
    illegal("blockTable", () -> attend(ofOne, cache.longest()).run());
    illegal("blockTable", () -> append(ofOne, cache.longest()).run());
    Tensor floats = scope.allocate(DType.FLOAT32, batch.table().shape());
    illegal("blockTable", () -> attend(floats, cache.longest()).run());
    Tensor narrow = batch.table().slice(1, 0, 1);
    illegal("24", () -> attend(narrow, cache.longest()).run());
    illegal("24", () -> append(narrow, cache.longest()).run());
  }

  @Test
  void whileTokensAreAdded() {
    KvSequence first = cache.open();
    KvSequence second = cache.open();
    batch.put(0, first);
    batch.put(1, second);
    batch.extend(3, 2);
    notNow("tokens are being added", () -> batch.extend(1, 1));
    notNow("tokens are being added", () -> batch.remove(0));
    notNow("adding", () -> first.truncate(0));
    notNow("adding", () -> first.forget(0));
    second.close(); // the others go on
    assertArrayEquals(new int[] {3, 0}, batch.counts().toIntArray());
    assertEquals(5, cache.freePages());
    batch.commit();
    assertEquals(3, first.length());
    assertEquals(0, second.length());
    notNow("no tokens are being added", batch::commit);
    notNow("no tokens are being added", batch::cancel);
  }

  /** A fork has what is committed, whatever becomes of the rest. */
  @Test
  void aForkWhileTokensAreAdded() {
    KvSequence first = cache.open();
    batch.put(0, first);
    Tokens.add(batch, 0, 1, 2, 3);
    for (boolean commits : new boolean[] {true, false}) {
      batch.extend(3, 0);
      KvSequence fork = first.fork();
      for (int i = 3; i < 6; i++) {
        Tokens.write(batch, 0, i, 10 + i);
      }
      try (KvBatch other = cache.batch(1)) {
        other.put(0, fork);
        Tokens.add(other, 0, 70, 71);
      }
      if (commits) {
        batch.commit();
        assertEquals(List.of(1f, 2f, 3f, 13f, 14f, 15f), Tokens.of(first));
        first.truncate(3);
      } else {
        batch.cancel();
      }
      assertEquals(List.of(1f, 2f, 3f, 70f, 71f), Tokens.of(fork));
      assertEquals(List.of(1f, 2f, 3f), Tokens.of(first));
      fork.close();
    }
    first.close();
    assertEquals(6, cache.freePages());
  }

  /** As many pages as there are, and one more. */
  @Test
  void pagesAreCountedExactly() {
    KvSequence first = cache.open();
    batch.put(0, first);
    Tokens.add(batch, 0, 1, 2, 3);
    batch.put(1, first.fork());
    OutOfPagesException few =
        assertThrows(OutOfPagesException.class, () -> batch.extend(18, 0)); // 21 tokens, and a copy
    assertEquals(6, few.needed());
    assertEquals(5, few.free());
    assertEquals(5, cache.freePages());
    batch.extend(17, 0);
    assertEquals(0, cache.freePages());
    batch.cancel();
    assertEquals(4, cache.freePages()); // the copy is its own now
    batch.extend(1, 1);
    batch.commit();
    assertEquals(4, cache.freePages());
  }

  /** Of those that share a page, and all go on, the last keeps it. */
  @Test
  void theLastHolderNeedsNoCopy() {
    KvSequence first = cache.open();
    batch.put(0, first);
    Tokens.add(batch, 0, 1, 2, 3);
    KvSequence fork = first.fork();
    batch.put(1, fork);
    try (KvBatch rest = cache.batch(1)) {
      rest.put(0, cache.open());
      rest.extend(16);
      rest.commit();
      assertEquals(1, cache.freePages());
      batch.extend(1, 1);
      Tokens.write(batch, 0, 3, 50);
      Tokens.write(batch, 1, 3, 60);
      batch.commit();
      assertEquals(0, cache.freePages());
      assertEquals(List.of(1f, 2f, 3f, 50f), Tokens.of(first));
      assertEquals(List.of(1f, 2f, 3f, 60f), Tokens.of(fork));
    }
  }
}
