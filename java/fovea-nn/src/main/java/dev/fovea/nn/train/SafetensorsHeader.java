package dev.fovea.nn.train;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import dev.fovea.DType;
import dev.fovea.Tensor;
import java.io.IOException;
import java.io.StringReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/** What the header of a {@link Safetensors} file says: whatever it is, it is checked here. */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata) {
  static final String METADATA = "__metadata__";
  static final Map<DType, String> NAMES =
      Map.of(
          DType.FLOAT32, "F32",
          DType.FLOAT16, "F16",
          DType.BFLOAT16, "BF16",
          DType.INT32, "I32",
          DType.BOOL, "BOOL",
          DType.INT8, "I8",
          DType.INT4X2, "U8", // to the format a byte of two values is one
          DType.FLOAT8_E4M3, "F8_E4M3");

  /** Bytes of an element of the other types, which are passed over. */
  private static final Map<String, Integer> OTHERS =
      Map.of("F64", 8, "I64", 8, "U64", 8, "U32", 4, "U16", 2, "I16", 2, "F8_E5M2", 1);

  /**
   * A tensor and where its elements are.
   *
   * @param dtype null for a type that is passed over
   */
  record Entry(String name, String type, DType dtype, long[] shape, long from, long to) {
    Tensor tensor(MemorySegment data, Arena arena) {
      MemorySegment bytes = data.asSlice(from, to - from);
      if (from % dtype.byteSize() != 0) { // of this type no tensor begins there
        bytes = arena.allocate(Math.max(1, bytes.byteSize()), 64).copyFrom(bytes);
      }
      return Tensor.of(bytes, dtype, shape);
    }

    /** Overflows where a tensor would. */
    private long bytes() {
      long elements = 1;
      boolean empty = false;
      for (long size : shape) {
        require(size >= 0, "%s has a size of %d", name, size);
        elements = Math.multiplyExact(elements, Math.max(1, size));
        empty |= size == 0;
      }
      return empty
          ? 0
          : Math.multiplyExact(elements, dtype == null ? OTHERS.get(type) : dtype.byteSize());
    }
  }

  /**
   * Reads a header.
   *
   * @param bytes of the elements behind it, which the tensors must be, one behind the other
   * @throws IllegalArgumentException if it is not what the format allows, with the reason
   */
  static SafetensorsHeader parse(ByteBuffer text, long bytes) {
    try {
      String decoded = StandardCharsets.UTF_8.newDecoder().decode(text).toString();
      require(decoded.startsWith("{"), "its header does not begin with {");
      JsonReader json = new JsonReader(new StringReader(decoded));
      json.setStrictness(Strictness.STRICT);
      SafetensorsHeader header = parse(json);
      require(json.peek() == JsonToken.END_DOCUMENT, "its header goes on behind its end");
      header.checkPlaces(bytes);
      return header;
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("its header is no UTF-8", e);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("its header has a shape that is too large", e);
    } catch (IOException | IllegalStateException e) {
      String why = e.getMessage().lines().findFirst().orElse("");
      throw new IllegalArgumentException("its header is no JSON of the right form: " + why, e);
    }
  }

  private static SafetensorsHeader parse(JsonReader json) throws IOException {
    List<Entry> entries = new ArrayList<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    Set<String> names = new HashSet<>();
    json.beginObject();
    while (json.hasNext()) {
      String name = json.nextName();
      require(names.add(name), "there are two %s", name);
      if (name.equals(METADATA)) {
        json.beginObject();
        while (json.hasNext()) {
          String key = json.nextName();
          require(metadata.put(key, text(json)) == null, "%s has two %s", name, key);
        }
        json.endObject();
      } else {
        entries.add(entry(name, json));
      }
    }
    json.endObject();
    return new SafetensorsHeader(entries, metadata);
  }

  private static Entry entry(String name, JsonReader json) throws IOException {
    String type = null;
    long[] shape = null;
    long[] offsets = null;
    Set<String> keys = new HashSet<>();
    json.beginObject();
    while (json.hasNext()) {
      String key = json.nextName();
      require(keys.add(key), "%s has two %s", name, key);
      switch (key) {
        case "dtype" -> type = text(json);
        case "shape" -> shape = integers(json);
        case "data_offsets" -> offsets = integers(json);
        default -> json.skipValue();
      }
    }
    json.endObject();
    for (String key : List.of("dtype", "shape", "data_offsets")) {
      require(keys.contains(key), "%s has no %s", name, key);
    }
    require(offsets.length == 2, "%s has %d data_offsets, expected 2", name, offsets.length);
    return new Entry(name, type, dtype(name, type), shape, offsets[0], offsets[1]);
  }

  private static DType dtype(String name, String type) {
    for (Map.Entry<DType, String> each : NAMES.entrySet()) {
      if (each.getValue().equals(type)) {
        return each.getKey();
      }
    }
    require(
        OTHERS.containsKey(type), "%s is of type %s, which the format does not have", name, type);
    return null;
  }

  private static String text(JsonReader json) throws IOException {
    require(json.peek() == JsonToken.STRING, "%s is no text", json.getPath());
    return json.nextString();
  }

  private static long[] integers(JsonReader json) throws IOException {
    LongStream.Builder integers = LongStream.builder();
    json.beginArray();
    while (json.hasNext()) {
      String path = json.getPath();
      require(json.peek() == JsonToken.NUMBER, "%s is no number", path);
      String number = json.nextString();
      require(number.matches("-?[0-9]{1,18}"), "%s is %s, expected an integer", path, number);
      integers.add(Long.parseLong(number));
    }
    json.endArray();
    return integers.build().toArray();
  }

  private void checkPlaces(long bytes) {
    Entry[] inOrder = entries.toArray(Entry[]::new);
    Arrays.sort(inOrder, Comparator.comparingLong(Entry::from).thenComparingLong(Entry::to));
    long end = 0;
    for (Entry it : inOrder) {
      require(it.from == end, "%s begins at byte %d, expected %d", it.name, it.from, end);
      end = it.to;
      long has = it.to - it.from;
      require(has == it.bytes(), "%s has %d bytes, expected %d", it.name, has, it.bytes());
    }
    require(end == bytes, "its tensors end at byte %d of %d", end, bytes);
  }

  private static void require(boolean right, String why, Object... of) {
    if (!right) {
      throw new IllegalArgumentException(why.formatted(of));
    }
  }
}
