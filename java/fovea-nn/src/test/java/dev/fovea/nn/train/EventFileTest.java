package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written is read here by the published formats: records, and fields of messages. */
class EventFileTest {
  @TempDir private Path folder;

  /** Castagnoli's polynomial bit by bit, reflected. */
  private static int crc32c(byte[] bytes) {
    int crc = -1;
    for (byte each : bytes) {
      crc ^= each & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0x82f63b78;
      }
    }
    return ~crc;
  }

  private static int masked(byte[] bytes) {
    int crc = crc32c(bytes);
    return (crc >>> 15 | crc << 17) + 0xa282ead8;
  }

  /** One field of a message: a number of its wire type, or bytes. */
  private record Field(int number, int wireType, long bits, byte[] bytes) {
    static List<Field> of(byte[] message) {
      ByteBuffer from = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
      List<Field> fields = new ArrayList<>();
      while (from.hasRemaining()) {
        long key = varint(from);
        int wireType = (int) (key & 7);
        byte[] bytes = {};
        long bits = 0;
        switch (wireType) {
          case 0 -> bits = varint(from);
          case 1 -> bits = from.getLong();
          case 2 -> {
            bytes = new byte[(int) varint(from)];
            from.get(bytes);
          }
          case 5 -> bits = from.getInt();
          default -> throw new AssertionError("wire type " + wireType);
        }
        fields.add(new Field((int) (key >> 3), wireType, bits, bytes));
      }
      return fields;
    }

    private static long varint(ByteBuffer from) {
      long value = 0;
      for (int shift = 0; shift < 70; shift += 7) {
        byte next = from.get();
        value |= (long) (next & 0x7f) << shift;
        if (next >= 0) {
          return value;
        }
      }
      throw new AssertionError("more than ten bytes of a number");
    }

    void require(int expectedNumber, int expectedType) {
      assertEquals(expectedNumber, number);
      assertEquals(expectedType, wireType);
    }

    String text() {
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }

  private record Scalar(double time, long step, String tag, float value) {}

  private static List<byte[]> records(Path path) throws IOException {
    ByteBuffer from = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> records = new ArrayList<>();
    while (from.hasRemaining()) {
      byte[] length = new byte[8];
      from.get(length);
      assertEquals(masked(length), from.getInt());
      long bytes = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
      byte[] data = new byte[Math.toIntExact(bytes)];
      from.get(data);
      assertEquals(masked(data), from.getInt());
      records.add(data);
    }
    return records;
  }

  private static List<Scalar> scalars(Path path) throws IOException {
    List<byte[]> records = records(path);
    List<Field> version = Field.of(records.getFirst());
    assertEquals(2, version.size());
    version.get(0).require(1, 1);
    version.get(1).require(3, 2);
    assertEquals("brain.Event:2", version.get(1).text());
    List<Scalar> scalars = new ArrayList<>();
    for (byte[] each : records.subList(1, records.size())) {
      List<Field> event = Field.of(each);
      assertEquals(3, event.size());
      event.get(0).require(1, 1);
      event.get(1).require(2, 0);
      event.get(2).require(5, 2);
      List<Field> summary = Field.of(event.get(2).bytes());
      assertEquals(1, summary.size());
      summary.getFirst().require(1, 2);
      List<Field> value = Field.of(summary.getFirst().bytes());
      assertEquals(2, value.size());
      value.get(0).require(1, 2);
      value.get(1).require(2, 5);
      scalars.add(
          new Scalar(
              Double.longBitsToDouble(event.get(0).bits()),
              event.get(1).bits(),
              value.get(0).text(),
              Float.intBitsToFloat((int) value.get(1).bits())));
    }
    return scalars;
  }

  private Path only(Path in) throws IOException {
    try (Stream<Path> files = Files.list(in)) {
      List<Path> all = files.toList();
      assertEquals(1, all.size(), all.toString());
      return all.getFirst();
    }
  }

  @Test
  void theChecksumIsThatOfThePublishedVector() {
    assertEquals(0xe3069283, crc32c("123456789".getBytes(StandardCharsets.US_ASCII)));
  }

  @Test
  void anEmptyFileSaysItsVersion() throws IOException {
    Path deep = folder.resolve("runs/first");
    new EventFile(deep).close();
    assertEquals(List.of(), scalars(only(deep)));
  }

  @Test
  void theNameIsOneThatTensorBoardLooksFor() throws IOException {
    new EventFile(folder).close();
    String name = only(folder).getFileName().toString();
    assertTrue(name.matches("events\\.out\\.tfevents\\.[0-9]{10}\\.[A-Za-z0-9.]+"), name);
  }

  @Test
  void scalarsAreReadAsTheyWereWritten() throws IOException {
    Random random = new Random(1);
    List<Scalar> expected = new ArrayList<>();
    double before = System.currentTimeMillis() * 1e-3;
    try (EventFile file = new EventFile(folder)) {
      int[] steps = {0, 1, 127, 128, 16383, 16384, Integer.MAX_VALUE, -1, Integer.MIN_VALUE};
      for (int step : steps) {
        String tag =
            random
                .ints(random.nextInt(300), 'a', 'z')
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        double value = random.nextGaussian();
        file.scalar(tag, step, value);
        expected.add(new Scalar(0, step, tag, (float) value));
      }
    }
    double after = System.currentTimeMillis() * 1e-3;
    List<Scalar> found = scalars(only(folder));
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < found.size(); i++) {
      Scalar it = found.get(i);
      assertEquals(expected.get(i), new Scalar(0, it.step, it.tag, it.value));
      assertTrue(before <= it.time && it.time <= after, "time " + it.time);
    }
  }

  @Test
  void tagsAreOfAnyLanguage() throws IOException {
    List<String> tags = List.of("", "loss/train", "Größe", "損失", "потеря", "𝛼 🙂", "a\nb\0c");
    try (EventFile file = new EventFile(folder)) {
      for (String tag : tags) {
        file.scalar(tag, 1, 0);
      }
    }
    assertEquals(tags, scalars(only(folder)).stream().map(Scalar::tag).toList());
  }

  @Test
  void valuesMayBeWhateverAFloatIs() throws IOException {
    double[] values = {0, -0.0, Double.NaN, Double.NEGATIVE_INFINITY, 1e300, 1e-300, 0.1};
    try (EventFile file = new EventFile(folder)) {
      for (double value : values) {
        file.scalar("x", 1, value);
      }
    }
    List<Scalar> found = scalars(only(folder));
    for (int i = 0; i < values.length; i++) {
      assertEquals((float) values[i], found.get(i).value);
    }
  }

  @Test
  void everyRecordCanBeReadWhileTheFileIsOpen() throws IOException {
    try (EventFile file = new EventFile(folder)) {
      for (int step = 0; step < 5; step++) {
        assertEquals(step, scalars(only(folder)).size());
        file.scalar("loss", step, 1);
      }
      assertEquals(5, scalars(only(folder)).size());
    }
  }

  @Test
  void aFileThatIsClosedIsWrittenNoMore() throws IOException {
    EventFile file = new EventFile(folder);
    file.scalar("a", 1, 1);
    file.close();
    file.close();
    assertThrows(IOException.class, () -> file.scalar("a", 2, 1));
    assertEquals(1, scalars(only(folder)).size());
  }

  @Test
  void aFolderThatCannotBeMadeIsAFailure() throws IOException {
    Path file = Files.writeString(folder.resolve("taken"), "");
    assertThrows(IOException.class, () -> new EventFile(file));
    assertThrows(IOException.class, () -> new EventFile(file.resolve("below")));
    assertFalse(Files.isDirectory(file));
  }
}
