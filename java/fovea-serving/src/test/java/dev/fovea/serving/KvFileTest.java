package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KvFileTest {
  @TempDir Path folder;

  private static KvCache.Builder shape() {
    return KvCache.on(Device.cpu()).layers(2).headDim(2).pageSize(4);
  }

  private Path saved() throws IOException {
    Path file = folder.resolve("cache");
    try (KvCache cache = shape().pages(9).make();
        KvBatch batch = cache.batch(1)) {
      KvSequence unsaved = cache.open();
      batch.put(0, unsaved);
      Tokens.add(batch, 0, 100, 101);
      batch.remove(0);
      KvSequence one = cache.open();
      batch.put(0, one);
      Tokens.add(batch, 0, 1, 2, 3, 4, 5);
      batch.remove(0);
      KvSequence two = one.fork();
      batch.put(0, two);
      Tokens.add(batch, 0, 6, 7, 8, 9);
      two.forget(4);
      cache.save(file, List.of(two, one, cache.open()));
    }
    return file;
  }

  @Test
  void sequencesSurvive() throws IOException {
    Path file = saved();
    try (KvCache cache = shape().pages(6).make();
        KvBatch batch = cache.batch(1)) {
      batch.put(0, cache.open());
      Tokens.add(batch, 0, 50);
      batch.remove(0);
      List<KvSequence> all = cache.restore(file);
      assertEquals(List.of(9, 5, 0), all.stream().map(KvSequence::length).toList());
      assertEquals(Arrays.asList(5f, 6f, 7f, 8f, 9f), Tokens.of(all.get(0)));
      assertEquals(Arrays.asList(1f, 2f, 3f, 4f, 5f), Tokens.of(all.get(1)));
      assertEquals(1, cache.freePages());
      assertThrows(OutOfPagesException.class, () -> cache.restore(file));
      assertEquals(1, cache.freePages());
      batch.put(0, all.get(1));
      Tokens.add(batch, 0, 60);
      assertEquals(Arrays.asList(1f, 2f, 3f, 4f, 5f, 60f), Tokens.of(all.get(1)));
      all.forEach(KvSequence::close);
      assertEquals(5, cache.freePages());
    }
  }

  /** The last page of a fork is shared in a file too. */
  @Test
  void sharedPagesAreSharedAgain() throws IOException {
    Path file = folder.resolve("shared");
    try (KvCache cache = shape().pages(2).make();
        KvBatch batch = cache.batch(1)) {
      KvSequence one = cache.open();
      batch.put(0, one);
      Tokens.add(batch, 0, 1, 2, 3, 4, 5);
      cache.save(file, List.of(one, one.fork(), one.fork()));
    }
    try (KvCache cache = shape().pages(3).make();
        KvBatch batch = cache.batch(1)) {
      List<KvSequence> all = cache.restore(file);
      assertEquals(1, cache.freePages());
      batch.put(0, all.get(1));
      Tokens.add(batch, 0, 9);
      assertEquals(Arrays.asList(1f, 2f, 3f, 4f, 5f), Tokens.of(all.get(0)));
      assertEquals(Arrays.asList(1f, 2f, 3f, 4f, 5f, 9f), Tokens.of(all.get(1)));
      assertEquals(0, cache.freePages());
    }
  }

  @Test
  void damagedFilesAreRefused() throws IOException {
    byte[] whole = Files.readAllBytes(saved());
    Path file = folder.resolve("damaged");
    try (KvCache cache = shape().pages(6).make()) {
      for (int cut = 0; cut < whole.length; cut += 7) {
        Files.write(file, Arrays.copyOf(whole, cut));
        assertThrows(IOException.class, () -> cache.restore(file), "cut at " + cut);
      }
      for (int at = whole.length - 200; at < whole.length; at++) {
        byte[] flipped = whole.clone();
        flipped[at] ^= 1;
        Files.write(file, flipped);
        assertThrows(IOException.class, () -> cache.restore(file), "flipped at " + at);
      }
      assertEquals(6, cache.freePages());
      assertEquals(0, cache.sequences());
    }
  }

  @Test
  void anotherCacheIsRefused() throws IOException {
    Path file = saved();
    try (KvCache cache = shape().pages(6).type(DType.BFLOAT16).make()) {
      String message = assertThrows(IOException.class, () -> cache.restore(file)).getMessage();
      assertTrue(message.contains("is of a cache of layers 2"), message);
    }
    try (KvCache cache = shape().pages(6).longest(8).make()) {
      assertThrows(IOException.class, () -> cache.restore(file));
    }
  }

  @Test
  void quantizedPagesSurvive() throws IOException {
    Path file = folder.resolve("quantized");
    for (DType type : new DType[] {DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3}) {
      KvCache.Builder shape =
          KvCache.on(Device.cpu()).headDim(4).pages(2).type(type).scales(KvCache.Scales.PAGE);
      try (KvCache cache = shape.make();
          KvBatch batch = cache.batch(1)) {
        KvSequence one = cache.open();
        batch.put(0, one);
        batch.extend(3);
        batch.commit();
        cache.key(0).fill(7);
        cache.keyScales(0).fill(0.5f);
        cache.save(file, List.of(one));
      }
      try (KvCache cache = shape.make()) {
        KvSequence one = cache.restore(file).getFirst();
        assertEquals(3, one.length());
        assertEquals(7, cache.key(0).getByte(one.page(0), 2, 0, 1));
        assertEquals(0.5f, cache.keyScales(0).getFloat(one.page(0), 0, 0));
      }
    }
  }
}
