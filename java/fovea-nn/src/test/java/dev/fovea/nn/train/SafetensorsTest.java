package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
  private static final Map<String, String> NOTHING = Map.of();

  @TempDir private Path folder;
  private Path path;
  private final Arena arena = Arena.ofConfined();

  @BeforeEach
  void name() {
    path = folder.resolve("model.safetensors");
  }

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(Random random, DType dtype, long... shape) {
    long elements = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    byte[] bits = new byte[(int) elements * dtype.byteSize()];
    random.nextBytes(bits);
    MemorySegment memory = arena.allocate(Math.max(1, bits.length), 8);
    MemorySegment.copy(bits, 0, memory, ValueLayout.JAVA_BYTE, 0, bits.length);
    return Tensor.of(memory, dtype, shape);
  }

  private Tensor floats(float... values) {
    return Tensor.of(arena.allocate(4L * values.length, 4), DType.FLOAT32, values.length)
        .copyFrom(values);
  }

  /** The elements in row-major order, NaN as it is. */
  private byte[] bits(Tensor tensor) {
    long bytes = tensor.elements() * tensor.dtype().byteSize();
    MemorySegment memory = arena.allocate(Math.max(1, bytes), 8);
    Tensor.of(memory, tensor.dtype(), tensor.shape()).copyFrom(tensor);
    return memory.asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE);
  }

  private void assertSame(Tensor expected, Tensor found, String which) {
    assertEquals(expected.dtype(), found.dtype(), which);
    assertArrayEquals(expected.shape(), found.shape(), which);
    assertArrayEquals(bits(expected), bits(found), which);
  }

  private void assertRoundTrip(Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    Safetensors.write(path, tensors, metadata);
    Safetensors read = Safetensors.read(path, arena);
    assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.tensors().keySet()));
    for (Map.Entry<String, Tensor> each : tensors.entrySet()) {
      Tensor found = read.tensor(each.getKey(), each.getValue().shape());
      assertSame(each.getValue(), found, each.getKey());
    }
    assertEquals(metadata, read.metadata());
    assertEquals(List.copyOf(metadata.keySet()), List.copyOf(read.metadata().keySet()));
    assertEquals(List.of("model.safetensors"), files());
  }

  private List<String> files() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.map(it -> it.getFileName().toString()).sorted().toList();
    }
  }

  // ---- round trips

  @Test
  void allTypesAndShapesComeBackInTheirOrder() throws IOException {
    Random random = new Random(1);
    long[][] shapes = {{}, {1}, {0}, {3}, {2, 3}, {4, 0, 5}, {0, 0}, {1, 2, 3, 2}, {17}};
    for (int n = 0; n < 8; n++) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (int i = random.nextInt(12); i > 0; i--) {
        DType dtype = DType.values()[random.nextInt(DType.values().length)];
        long[] shape = shapes[random.nextInt(shapes.length)];
        tensors.put("t" + random.nextInt(1000), random(random, dtype, shape));
      }
      assertRoundTrip(tensors, NOTHING);
    }
  }

  /** A type of one byte may leave the next tensor at an address that is none of its type. */
  @Test
  void elementsBehindAnOddNumberOfBytesComeBack() throws IOException {
    Random random = new Random(2);
    for (DType dtype : DType.values()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("mask", random(random, DType.BOOL, 3));
      tensors.put("after", random(random, dtype, 5));
      tensors.put("empty", random(random, dtype, 0));
      assertRoundTrip(tensors, NOTHING);
    }
  }

  @Test
  void tensorsWithStridesAreWrittenInRowMajorOrder() throws IOException {
    Random random = new Random(3);
    for (DType dtype : DType.values()) {
      Tensor dense = random(random, dtype, 4, 5, 6);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("turned", dense.transpose(0, 2));
      tensors.put("cut", dense.slice(1, 1, 4).transpose(1, 2));
      MemorySegment memory = arena.allocate(4L * dtype.byteSize(), 8);
      Tensor four = Tensor.of(memory, dtype, 4).copyFrom(random(random, dtype, 4));
      tensors.put("four", four);
      long[] none = {0, 1};
      tensors.put("repeated", Tensor.of(memory, dtype, new long[] {3, 4}, none));
      assertRoundTrip(tensors, NOTHING);
    }
  }

  @Test
  void namesAndMetadataAreOfAnyLanguage() throws IOException {
    String[] texts = {
      "",
      " ",
      "encoder.layers.0.weight",
      "Größe",
      "ключ",
      "鍵",
      "🙂 𝛼",
      "\"quoted\" \\ / 'single'",
      "tab\tnewline\nnul\0bell\u0007delete\u007f",
      "\u2028\u2029\ufeff\uffff",
      "<&=>",
      "dtype",
      "__metadata",
      "null",
      "{}"
    };
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    Random random = new Random(4);
    for (int i = 0; i < texts.length; i++) {
      tensors.put(texts[i], random(random, DType.FLOAT32, i));
      metadata.put(texts[i], texts[texts.length - 1 - i]);
    }
    metadata.put(Safetensors.class.getName(), "x".repeat(10_000));
    assertRoundTrip(tensors, metadata);
  }

  @Test
  void aFileMayBeOfNothing() throws IOException {
    assertRoundTrip(Map.of(), NOTHING);
    assertRoundTrip(Map.of(), Map.of("step", "7"));
  }

  @Test
  void aFileOfSomeChunksComesBack() throws IOException {
    Random random = new Random(5);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("odd", random(random, DType.BOOL, 12345));
    tensors.put("long", random(random, DType.FLOAT16, (1 << 23) + 17)); // beyond 16 MiB
    tensors.put("short", random(random, DType.FLOAT32, 3));
    assertRoundTrip(tensors, NOTHING);
  }

  @Test
  void whatIsReadIsKeptByTheArena() throws IOException {
    Safetensors.write(path, Map.of("x", floats(1, 2)), NOTHING);
    Tensor tensor;
    try (Arena short1 = Arena.ofConfined()) {
      tensor = Safetensors.read(path, short1).tensor("x", 2);
      Files.delete(path);
      assertArrayEquals(new float[] {1, 2}, tensor.toFloatArray());
    }
    assertThrows(IllegalStateException.class, tensor::toFloatArray);
  }

  @Test
  void aTensorThatIsMissingOrOfAnotherShapeIsAFailure() throws IOException {
    Safetensors.write(path, Map.of("x", floats(1, 2)), NOTHING);
    Safetensors read = Safetensors.read(path, arena);
    assertEquals(
        path + " has no y",
        assertThrows(IOException.class, () -> read.tensor("y", 2)).getMessage());
    assertEquals(
        path + " has x of shape [2], expected [2, 1]",
        assertThrows(IOException.class, () -> read.tensor("x", 2, 1)).getMessage());
  }

  // ---- the published format

  private static byte[] file(byte[] header, int... data) {
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(header.length).put(header);
    Arrays.stream(data).forEach(it -> bytes.put((byte) it));
    return bytes.array();
  }

  private static byte[] file(String header, int... data) {
    return file(header.replace('\'', '"').getBytes(StandardCharsets.UTF_8), data);
  }

  private Safetensors read(byte[] file) throws IOException {
    Files.write(path, file);
    return Safetensors.read(path, arena);
  }

  @Test
  void aFileOfOthersIsRead() throws IOException {
    String header =
        "{'b':{'dtype':'F32','shape':[1,2],'data_offsets':[4,12]},"
            + "'a':{'shape':[2],'data_offsets':[0,4],'dtype':'BF16'}}";
    int[] data = {0x80, 0x3f, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0x20, 0xc1};
    Safetensors read = read(file(header, data));
    assertEquals(List.of("b", "a"), List.copyOf(read.tensors().keySet()));
    assertArrayEquals(new float[] {1, -2}, read.tensor("a", 2).toFloatArray());
    assertArrayEquals(new float[] {0.5f, -10}, read.tensor("b", 1, 2).toFloatArray());
    assertEquals(NOTHING, read.metadata());
    Safetensors padded =
        read(
            file(
                "{'__metadata__':{'format':'pt','crc':'00'}, 'm' : {\n'dtype':'BOOL','more':[{}],"
                    + "'shape':[3],'data_offsets':[0,3]},'i':{'dtype':'I32','shape':[],"
                    + "'data_offsets':[3,7]},'h':{'dtype':'F16','shape':[1],'data_offsets':[7,9]}}"
                    + "     ",
                1,
                0,
                1,
                0xfe,
                0xff,
                0xff,
                0xff,
                0,
                0x3c));
    assertEquals(Map.of("format", "pt", "crc", "00"), padded.metadata());
    assertArrayEquals(new boolean[] {true, false, true}, padded.tensor("m", 3).toBooleanArray());
    assertEquals(-2, padded.tensor("i").getInt());
    assertEquals(1, padded.tensor("h", 1).getFloat(0));
    assertEquals(Map.of(), read(file("{}")).tensors());
    assertEquals(Map.of(), read(file("{'__metadata__':{}}")).tensors());
  }

  @Test
  void escapesOfJsonAreRead() throws IOException {
    Safetensors read =
        read(
            file(
                "{'\\u00e4\\ud83d\\ude42\\n"
                    + "\\/':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}"));
    assertEquals(List.of("ä🙂\n/"), List.copyOf(read.tensors().keySet()));
  }

  @Test
  void whatIsWrittenHasThePublishedForm() throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("b", floats(1, 2, 3));
    tensors.put("a", floats(4));
    Safetensors.write(path, tensors, Map.of("step", "12"));
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] text = new byte[(int) bytes.getLong()];
    assertEquals(0, text.length % 8);
    bytes.get(text);
    assertEquals('{', text[0]);
    JsonObject header =
        JsonParser.parseString(new String(text, StandardCharsets.UTF_8)).getAsJsonObject();
    assertEquals("12", header.getAsJsonObject("__metadata__").get("step").getAsString());
    assertEquals(
        "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}", header.get("b").toString());
    assertEquals(
        "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}", header.get("a").toString());
    for (float expected : new float[] {1, 2, 3, 4}) {
      assertEquals(expected, bytes.getFloat());
    }
    assertFalse(bytes.hasRemaining());
  }

  // ---- damage

  private String refused(byte[] file, String which) throws IOException {
    Files.write(path, file);
    IOException e =
        assertThrows(IOException.class, () -> Safetensors.read(path, arena), () -> which);
    String start = path + " is damaged, or no safetensors file: ";
    assertTrue(e.getMessage().startsWith(start), e.getMessage());
    String why = e.getMessage().substring(start.length());
    assertFalse(why.contains("null") || why.contains("http") || why.contains("\n"), why);
    return why;
  }

  private void assertRefused(String why, String header, int... data) throws IOException {
    assertEquals(why, refused(file(header, data), header));
  }

  private byte[] written() throws IOException {
    Random random = new Random(6);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("mask", random(random, DType.BOOL, 5));
    tensors.put("weight", random(random, DType.FLOAT32, 2, 3));
    tensors.put("bias", random(random, DType.BFLOAT16, 7));
    Safetensors.write(path, tensors, Map.of("step", "100"));
    return Files.readAllBytes(path);
  }

  private static int dataBegin(byte[] file) {
    return 8 + ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
  }

  @Test
  void everyBitOfTheElementsCounts() throws IOException {
    byte[] file = written();
    for (int at = dataBegin(file); at < file.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] flipped = file.clone();
        flipped[at] ^= (byte) (1 << bit);
        String why = refused(flipped, "bit " + bit + " of byte " + at);
        assertTrue(why.startsWith("the checksum of its elements is "), why);
      }
    }
  }

  @Test
  void aFlippedBitOfTheHeaderMakesNoOtherTensors() throws IOException {
    byte[] file = written();
    Map<String, Tensor> before = Safetensors.read(path, arena).tensors();
    int damaged = 0;
    for (int at = 0; at < dataBegin(file); at++) {
      for (int bit = at % 5; bit < 8; bit += 5) {
        byte[] flipped = file.clone();
        flipped[at] ^= (byte) (1 << bit);
        Files.write(path, flipped);
        String which = "bit " + bit + " of byte " + at;
        try {
          Map<String, Tensor> read = Safetensors.read(path, arena).tensors();
          assertEquals(before.size(), read.size(), which);
          read.forEach(
              (name, tensor) -> assertSame(before.getOrDefault(name, tensor), tensor, which));
        } catch (IOException e) {
          assertTrue(e.getMessage().startsWith(path + " is damaged"), e.getMessage());
          damaged++;
        }
      }
    }
    assertTrue(damaged > dataBegin(file) / 2, damaged + " refused");
  }

  @Test
  void aFileThatWasCutOrGrewIsRefused() throws IOException {
    byte[] file = written();
    for (int length = 0; length < file.length; length++) {
      refused(Arrays.copyOf(file, length), "cut to " + length);
    }
    for (int more : new int[] {1, 4, 100}) {
      refused(Arrays.copyOf(file, file.length + more), more + " bytes more");
    }
    // Not for its checksum.
    String header = "{'a':{'dtype':'I32','shape':[2],'data_offsets':[0,8]}}";
    for (int length = 0; length < 8; length++) {
      refused(file(header, new int[length]), "only " + length);
    }
    assertRefused("its tensors end at byte 8 of 9", header, new int[9]);
  }

  @Test
  void randomDamageIsAlwaysAnIoException() throws IOException {
    byte[] file = written();
    Random random = new Random(7);
    for (int n = 0; n < 250; n++) {
      byte[] damaged = file.clone();
      int end = random.nextInt(3) == 0 ? file.length : dataBegin(file);
      for (int i = random.nextInt(6); i >= 0; i--) {
        int from = random.nextInt(end);
        int to = random.nextInt(end);
        int length = random.nextInt(Math.min(12, end - Math.max(from, to)) + 1);
        switch (random.nextInt(3)) {
          case 0 -> System.arraycopy(file, from, damaged, to, length);
          case 1 -> Arrays.fill(damaged, to, to + length, (byte) random.nextInt());
          default -> damaged[to] = (byte) "{}[]\",:0123456789-.eE \\u".charAt(random.nextInt(24));
        }
      }
      Files.write(path, damaged);
      try {
        Safetensors.read(path, arena);
      } catch (IOException e) {
        assertTrue(e.getMessage().startsWith(path + " is damaged"), n + ": " + e.getMessage());
      } catch (RuntimeException e) {
        throw new AssertionError("number " + n, e);
      }
    }
  }

  /** Counts what is asked for. */
  private static final class CountingArena implements Arena {
    private final Arena arena = Arena.ofConfined();
    private long bytes;

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
      bytes += byteSize;
      return arena.allocate(byteSize, byteAlignment);
    }

    @Override
    public MemorySegment.Scope scope() {
      return arena.scope();
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  @Test
  void aHeaderThatLiesMakesNothingLarge() throws IOException {
    for (long length :
        new long[] {
          -1, Long.MIN_VALUE, Long.MAX_VALUE, Integer.MAX_VALUE, 1L << 32, 100_000_001, 3, 1, 0
        }) {
      byte[] file = file("{}");
      ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
      refused(file, "header of " + length);
    }
    String huge = "{'a':{'dtype':'F32','shape':[1000000000000],'data_offsets':[0,4000000000000]}}";
    String again = "'%d':{'dtype':'F32','shape':[2],'data_offsets':[1,9]}";
    StringBuilder overlapping = new StringBuilder("{");
    for (int i = 0; i < 1000; i++) {
      overlapping.append(again.formatted(i)).append(',');
    }
    overlapping.setCharAt(overlapping.length() - 1, '}');
    for (String header : List.of(huge, overlapping.toString())) {
      Files.write(path, file(header, new int[9]));
      try (CountingArena counting = new CountingArena()) {
        assertThrows(IOException.class, () -> Safetensors.read(path, counting));
        assertTrue(counting.bytes <= 9, counting.bytes + " bytes");
      }
    }
  }

  private static String entry(String dtype, String shape, String offsets) {
    return "{'a':{'dtype':%s,'shape':%s,'data_offsets':%s}}".formatted(dtype, shape, offsets);
  }

  @Test
  void offsetsThatDoNotFitAreRefused() throws IOException {
    int[] eight = new int[8];
    assertRefused("a begins at byte 4, expected 0", entry("'F32'", "[1]", "[4,8]"), eight);
    assertRefused("its tensors end at byte 4 of 8", entry("'F32'", "[1]", "[0,4]"), eight);
    assertRefused("its tensors end at byte 12 of 8", entry("'F32'", "[3]", "[0,12]"), eight);
    assertRefused("a has 8 bytes, expected 4", entry("'F32'", "[1]", "[0,8]"), eight);
    assertRefused("a has 8 bytes, expected 12", entry("'F32'", "[3]", "[0,8]"), eight);
    assertRefused("a has 8 bytes, expected 4", entry("'F16'", "[2]", "[0,8]"), eight);
    assertRefused("a has -8 bytes, expected 8", entry("'F32'", "[2]", "[0,-8]"), eight);
    for (String offsets :
        List.of(
            "[-8,0]",
            "[-1,7]",
            "[8,16]",
            "[0,9223372036854775807]",
            "[9223372036854775800,9223372036854775807]",
            "[-9223372036854775808,9223372036854775807]",
            "[-9223372036854775808,-9223372036854775800]",
            "[0,99999999999999999999]",
            "[0,8.0]",
            "[0,8e0]",
            "['0','8']",
            "[0]",
            "[]",
            "[0,8,8]",
            "[0,[8]]",
            "[0,null]",
            "[true,8]",
            "{'0':8}",
            "8",
            "null")) {
      refused(file(entry("'F32'", "[2]", offsets), eight), offsets);
    }
  }

  @Test
  void tensorsThatOverlapOrLeaveGapsAreRefused() throws IOException {
    String two =
        "{'a':{'dtype':'F32','shape':[%d],'data_offsets':[%d,%d]},"
            + "'b':{'dtype':'F32','shape':[%d],'data_offsets':[%d,%d]}}";
    int[] data = new int[12];
    assertEquals(2, read(file(two.formatted(2, 0, 8, 1, 8, 12), data)).tensors().size());
    assertEquals(2, read(file(two.formatted(2, 4, 12, 1, 0, 4), data)).tensors().size());
    assertEquals(2, read(file(two.formatted(3, 0, 12, 0, 12, 12), data)).tensors().size());
    assertEquals(2, read(file(two.formatted(3, 0, 12, 0, 0, 0), data)).tensors().size());
    assertRefused("b begins at byte 4, expected 8", two.formatted(2, 0, 8, 2, 4, 12), data);
    assertRefused("b begins at byte 0, expected 12", two.formatted(3, 0, 12, 3, 0, 12), data);
    assertRefused("a begins at byte 8, expected 4", two.formatted(1, 8, 12, 1, 0, 4), data);
    assertRefused("b begins at byte 4, expected 12", two.formatted(3, 0, 12, 0, 4, 4), data);
  }

  @Test
  void shapesAndTypesThatDoNotExistAreRefused() throws IOException {
    int[] eight = new int[8];
    for (String shape :
        List.of(
            "[-2]",
            "[-1,-2]",
            "[2,-1,-1]",
            "[2.0]",
            "[2e0]",
            "['2']",
            "[[2]]",
            "[null]",
            "2",
            "null",
            "{}",
            "[9223372036854775807,9223372036854775807]",
            "[4611686018427387904,4,2]",
            "[2147483648,4294967296,2]",
            "[9223372036854775809]",
            "[1e1000000000]",
            "[0,4611686018427387904,4611686018427387904]",
            "[4611686018427387904,4611686018427387904,0]")) {
      refused(file(entry("'F32'", shape, "[0,8]"), eight), shape);
      refused(file(entry("'F32'", shape, "[0,0]")), shape);
    }
    for (String dtype : List.of("'F64'", "'I64'", "'f32'", "'FLOAT32'", "''", "3", "null", "[]")) {
      refused(file(entry(dtype, "[2]", "[0,8]"), eight), dtype);
    }
    assertRefused(
        "a is of type F31, which the format does not have", entry("'F31'", "[1]", "[0,8]"), eight);
    assertRefused("a has no dtype", "{'a':{'shape':[1],'data_offsets':[0,8]}}", eight);
    assertRefused("a has no shape", "{'a':{'dtype':'F32','data_offsets':[0,8]}}", eight);
    assertRefused("a has no data_offsets", "{'a':{'dtype':'F32','shape':[2]}}", eight);
  }

  @Test
  void tensorsOfOtherTypesArePassedOver() throws IOException {
    String header =
        "{'position_ids':{'dtype':'I64','shape':[1,2],'data_offsets':[0,16]},"
            + "'a':{'dtype':'F32','shape':[1],'data_offsets':[16,20]}}";
    int[] elements = new int[20];
    elements[19] = 0x40; // 2, little-endian
    Safetensors read = read(file(header, elements));
    assertEquals(Set.of("a"), read.tensors().keySet());
    assertEquals(2, read.tensor("a", 1).getFloat(0));
    IOException refused = assertThrows(IOException.class, () -> read.tensor("position_ids", 1, 2));
    assertEquals(path + " has position_ids of type I64, which is not read", refused.getMessage());
  }

  @Test
  void aHeaderThatIsNoJsonObjectIsRefused() throws IOException {
    String right = "{'a':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}";
    assertEquals(1, read(file(right)).tensors().size());
    for (String header :
        List.of(
            "",
            "  ",
            "null",
            "[]",
            "'{}'",
            "12",
            "{",
            "{'a'",
            "{'a':",
            "{'a':}",
            "{'a':1}",
            "{'a':null}",
            "{'a':[]}",
            right + right,
            right + ",",
            right + "}",
            right + "\0",
            ")]}'\n" + right,
            "\ufeff" + right,
            "// x\n" + right,
            right + "# x",
            right.substring(0, right.length() - 1) + ",}",
            right.replace(",", ";"),
            right.replace(":", "="),
            right.replace("'a'", "a"),
            right.replace("'a'", "12"),
            right.replace("'a'", "'\t'"),
            right.replace("'a'", "'\\x'"),
            right.replace("0]}}", "NaN]}}"),
            right.replace("0]}}", "00]}}"),
            right.replace("0]}}", "]}}"),
            "{'a':" + "[".repeat(100_000),
            "{'a':".repeat(100_000),
            "{'a':{'more':" + "[".repeat(100_000),
            "{'__metadata__':" + "{'a':".repeat(100_000))) {
      refused(file(header), header.substring(0, Math.min(100, header.length())));
    }
    String single = right.replace('\'', '`');
    refused(file(single.replace('`', '\u0001')), "no quotes");
    byte[] latin = right.replace('\'', '"').replace('a', 'ä').getBytes(StandardCharsets.ISO_8859_1);
    assertEquals("its header is no UTF-8", refused(file(latin), "Latin-1"));
    byte[] quoted = right.getBytes(StandardCharsets.UTF_8);
    refused(file(quoted), "single quotes");
  }

  @Test
  void whatTheHeaderSaysTwiceIsRefused() throws IOException {
    String a = "'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}";
    assertRefused("there are two a", "{" + a + "," + a + "}", new int[4]);
    refused(file("{" + a + "," + a.replace("0,4", "4,8") + "}", new int[8]), "two");
    refused(file("{" + a + "," + a.replace("'a'", "'\\u0061'") + "}", new int[4]), "escaped");
    for (String part : List.of("'dtype':'F32'", "'shape':[1]", "'data_offsets':[0,4]")) {
      refused(file("{" + a.replace(part, part + "," + part) + "}", new int[4]), part);
    }
    refused(file("{'__metadata__':{'x':'1','x':'2'}}"), "metadata");
    refused(file("{'__metadata__':{'x':'1'},'__metadata__':{'x':'2'}}"), "metadata");
  }

  @Test
  void metadataThatIsNoTextIsRefused() throws IOException {
    for (String value : List.of("1", "true", "null", "[]", "['x']", "{}")) {
      refused(file("{'__metadata__':{'x':" + value + "}}"), value);
      refused(file("{'__metadata__':" + value.replace("{}", "''") + "}"), value);
      refused(file("{'__metadata__':{'crc32c':" + value + "}}"), value);
    }
    refused(file("{'__metadata__':{'crc32c':'what'}}"), "a checksum that is none");
  }

  @Test
  void whatIsNoFileIsAFailureThatNamesIt() throws IOException {
    assertEquals(
        path.toString(),
        assertThrows(NoSuchFileException.class, () -> Safetensors.read(path, arena)).getMessage());
    Files.createDirectory(path);
    String message =
        assertThrows(IOException.class, () -> Safetensors.read(path, arena)).getMessage();
    assertTrue(message.contains(path.toString()), message);
  }

  // ---- writing that fails

  private void assertLeaves(Class<? extends Throwable> why, Executable write) throws IOException {
    Safetensors.write(path, Map.of("old", floats(1, 2)), Map.of("step", "1"));
    byte[] before = Files.readAllBytes(path);
    assertThrows(why, write);
    assertArrayEquals(before, Files.readAllBytes(path));
    assertEquals(List.of("model.safetensors"), files());
  }

  @Test
  void aTensorThatCannotBeReadLeavesTheOldFile() throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("good", floats(3, 4));
    try (Scope scope = Scope.open()) {
      tensors.put("closed", scope.copyOf(new float[] {5, 6}, 2));
    }
    assertLeaves(IllegalStateException.class, () -> Safetensors.write(path, tensors, NOTHING));
  }

  @Test
  void aTensorThatIsTooLargeLeavesTheOldFile() throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("good", floats(3, 4));
    long[] shape = {1L << 45};
    tensors.put("huge", Tensor.of(arena.allocate(4, 4), DType.FLOAT32, shape, new long[] {0}));
    assertLeaves(OutOfMemoryError.class, () -> Safetensors.write(path, tensors, NOTHING));
  }

  @Test
  void whatCouldNotBeReadAgainIsNotWritten() throws IOException {
    Tensor x = floats(1);
    Map<String, String> none = new HashMap<>();
    none.put("step", null);
    Map<String, Tensor> missing = new HashMap<>();
    missing.put("x", null);
    Class<IllegalArgumentException> wrong = IllegalArgumentException.class;
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("__metadata__", x), NOTHING));
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("\ud83d", x), NOTHING));
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("\ude42\ud83d", x), NOTHING));
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("x", x), Map.of("a", "\ud83d")));
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("x", x), Map.of("\ud83d", "a")));
    assertLeaves(wrong, () -> Safetensors.write(path, Map.of("x", x), Map.of("crc32c", "a")));
    assertLeaves(NullPointerException.class, () -> Safetensors.write(path, Map.of("x", x), none));
    assertLeaves(NullPointerException.class, () -> Safetensors.write(path, missing, NOTHING));
  }

  @Test
  void aFolderThatIsMissingIsNotMade() throws IOException {
    Path deep = folder.resolve("missing").resolve("model.safetensors");
    IOException e =
        assertThrows(
            IOException.class, () -> Safetensors.write(deep, Map.of("x", floats(1)), NOTHING));
    assertTrue(e.getMessage().contains(deep.getParent().toString()), e.getMessage());
    assertEquals(List.of(), files());
    Path below = Files.writeString(folder.resolve("file"), "x").resolve("model.safetensors");
    assertThrows(
        IOException.class, () -> Safetensors.write(below, Map.of("x", floats(1)), NOTHING));
    assertEquals(List.of("file"), files());
  }

  @Test
  void aFolderInThePlaceOfAFileStays() throws IOException {
    Files.createDirectory(path);
    for (int n = 0; n < 2; n++) {
      assertThrows(
          IOException.class, () -> Safetensors.write(path, Map.of("x", floats(1)), NOTHING));
      assertTrue(Files.isDirectory(path));
      assertEquals(List.of("model.safetensors"), files());
      Files.writeString(path.resolve("inside"), "x");
    }
  }

  @Test
  void aFolderThatMayNotBeWrittenKeepsTheOldFile() throws IOException {
    Safetensors.write(path, Map.of("x", floats(1)), NOTHING);
    byte[] before = Files.readAllBytes(path);
    for (String permissions : List.of("r-xr-xr-x", "-wx-wx-wx")) {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(permissions));
      try {
        assumeFalse(Files.isWritable(folder) && Files.isReadable(folder), "root may do anything");
        assertThrows(
            IOException.class, () -> Safetensors.write(path, Map.of("x", floats(2)), NOTHING));
        assertArrayEquals(before, Files.readAllBytes(path));
      } finally {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
      assertEquals(List.of("model.safetensors"), files());
    }
  }

  @Test
  void whatAKilledProcessLeftIsOverwritten() throws IOException {
    Safetensors.write(path, Map.of("x", floats(1)), NOTHING);
    List<Path> unfinished = new ArrayList<>();
    try (Stream<Path> all = Files.list(folder)) {
      all.forEach(unfinished::add);
    }
    Path left = folder.resolve("." + path.getFileName() + ".new");
    Files.write(left, new byte[100_000]);
    assertRoundTrip(Map.of("x", floats(2)), NOTHING);
    assertEquals(List.of(path), unfinished);
  }

  @Test
  void aPathMayBeRelative() throws IOException {
    Path here = Path.of("").toAbsolutePath();
    Path relative = here.relativize(path.toAbsolutePath());
    Safetensors.write(relative, Map.of("x", floats(1)), NOTHING);
    assertEquals(List.of("model.safetensors"), files());
    assertEquals(1, Safetensors.read(relative, arena).tensor("x", 1).getFloat(0));
  }
}
