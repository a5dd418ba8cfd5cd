package dev.fovea.cli;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import dev.fovea.cli.npy.NpyType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An .npy file in memory that something has happened to. */
final class MutatedNpy {

  private static final List<String> TYPES =
      List.of(
          "<f4",
          "<f2",
          "<f8",
          "<V2",
          "|V2",
          "<i4",
          "<i8",
          ">f4",
          "=f4",
          "<c8",
          "|O",
          "|b1",
          "<U7",
          "f4",
          "<f16",
          "",
          "<f4, ",
          "\u001b[31m",
          "<f\\\\4");
  private static final List<String> SHAPES =
      List.of(
          "()",
          "(1,)",
          "(0,)",
          "(1)",
          "(2,)",
          "(24,)",
          "(1, 3, 2, 4)",
          "(1, 2, 2, 4)",
          "(1, 3, 4, 2)",
          "(0, 3, 2, 4)",
          "(1, 0, 2, 4)",
          "(1, 3, 0, 4)",
          "(1, 3, 2, 0)",
          "(1, 3, 2, 4,)",
          "(1,,3,2,4)",
          "(1 3 2 4)",
          "(-1, 3, 2, 4)",
          "(1, 3, 2, 4L)",
          "[1, 3]",
          "(1, 3, 2, 04)",
          "(1, 1099511627776, 2, 4)",
          "(0, 9223372036854775807, 2, 4)",
          "(4294967296, 4294967296, 1, 1)",
          "(99999999999999999999,)",
          "(1, 3, 2, 4",
          "1, 3, 2, 4",
          "(True, 3, 2, 4)",
          "(1.0, 3, 2, 4)",
          "(0x1, 3, 2, 4)",
          "(1, 3, 2, 600)",
          "(0, 1099511627776, 2, 4)",
          "(1, 3, 1099511627776, 0)",
          "(0, 0, 0, 1099511627776)");
  private static final List<String> ORDERS =
      List.of("True", "False", "true", "0", "1", "None", "'False'", "[False]", "");

  private final Random random;
  private byte[] bytes;

  MutatedNpy(Random random, byte[] bytes) {
    this.random = random;
    this.bytes = bytes.clone();
  }

  /** Some mutations, most often one. */
  byte[] mutate() {
    int count = 1 + (random.nextInt(3) == 0 ? random.nextInt(3) : 0);
    for (int i = 0; i < count; i++) {
      mutateOnce();
    }
    return bytes;
  }

  private int headerEnd() {
    return Math.min(bytes.length, 128);
  }

  private void mutateOnce() {
    switch (random.nextInt(16)) {
      case 0 -> flip(0, bytes.length);
      case 1, 2 -> flip(0, headerEnd());
      case 3 -> flip(0, Math.min(bytes.length, 12));
      case 4 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      case 5 -> bytes = Arrays.copyOf(bytes, bytes.length + random.nextInt(100));
      case 6, 7 -> header("'descr': '[^']*'", "'descr': '" + Fuzz.pick(random, TYPES) + "'");
      case 8, 9 -> header("'shape': \\([^)]*\\)", "'shape': " + Fuzz.pick(random, SHAPES));
      case 10 -> header("'fortran_order': \\w*", "'fortran_order': " + Fuzz.pick(random, ORDERS));
      case 11 -> insertInHeader();
      case 12 -> swapInHeader();
      case 13 -> header("\\}", Fuzz.pick(random, List.of("'x': 1}", "}}", "", "'shape': (1,)}")));
      case 14 -> value();
      default -> restyle();
    }
  }

  private void flip(int from, int to) {
    if (to > from) {
      bytes[from + random.nextInt(to - from)] ^= (byte) (1 << random.nextInt(8));
    }
  }

  /** A value of the elements that is special in float32, or not. */
  private void value() {
    List<Float> special =
        List.of(Float.NaN, Float.NEGATIVE_INFINITY, 3e38f, -1e5f, 0f, Float.MIN_VALUE, 1.5f);
    int words = (bytes.length - headerEnd()) / 4;
    if (words > 0) {
      ByteBuffer.wrap(bytes)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putFloat(headerEnd() + 4 * random.nextInt(words), Fuzz.pick(random, special));
    }
  }

  private String text() {
    int from = Math.min(10, bytes.length);
    return new String(bytes, from, headerEnd() - from, StandardCharsets.ISO_8859_1);
  }

  /** Puts another dictionary in, of the length that the header has if that is possible. */
  private void setText(String text) {
    String line = text.stripTrailing();
    int room = Math.max(line.length() + 1, headerEnd() - 10);
    if (bytes.length < 10) {
      return;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, 10);
    out.writeBytes(
        (line + " ".repeat(room - line.length() - 1) + "\n").getBytes(StandardCharsets.ISO_8859_1));
    out.write(bytes, headerEnd(), bytes.length - headerEnd());
    bytes = out.toByteArray();
    if (bytes[6] == 1) {
      bytes[8] = (byte) room;
      bytes[9] = (byte) (room >> 8);
    }
  }

  private void header(String part, String replacement) {
    setText(text().replaceFirst(part, Matcher.quoteReplacement(replacement)));
  }

  private void insertInHeader() {
    String text = text().stripTrailing();
    int at = random.nextInt(text.length() + 1);
    List<String> pieces =
        List.of(
            " ", ",", "'", "\"", "(", ")", "\\", "\n", "\t", "0", "9", "{", "\0", "\u00e9", "-");
    setText(text.substring(0, at) + Fuzz.pick(random, pieces) + text.substring(at));
  }

  private void swapInHeader() {
    char[] text = text().stripTrailing().toCharArray();
    if (text.length > 1) {
      int a = random.nextInt(text.length - 1);
      char kept = text[a];
      text[a] = text[a + 1];
      text[a + 1] = kept;
      setText(new String(text));
    }
  }

  /** The same header as another writer might have written it. */
  private void restyle() {
    String text = text();
    switch (random.nextInt(4)) {
      case 0 -> setText(text.replace('\'', '"'));
      case 1 -> setText(text.replace(" ", ""));
      case 2 -> setText(text.replaceFirst("(, )?\\}", "}"));
      default -> setText(text.replaceFirst("\\{('descr': '[^']*'), (.*\\)), \\}", "{$2, $1}"));
    }
  }

  /**
   * What an array holds.
   *
   * @param values all of them, exact
   */
  record Content(NpyType type, long[] shape, double[] values) {}

  /**
   * Reads a file in a way of its own, by way of JSON, or null if it is not one that is taken: of
   * another type, in Fortran order, cut short.
   */
  static Content read(byte[] file) {
    try {
      ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
      byte[] magic = new byte[6];
      in.get(magic);
      int version = in.get();
      in.get();
      boolean numpy = Arrays.equals(magic, "\u0093NUMPY".getBytes(StandardCharsets.ISO_8859_1));
      if (!numpy || version < 1 || version > 3) {
        return null;
      }
      long length = version == 1 ? in.getShort() & 0xFFFF : in.getInt() & 0xFFFFFFFFL;
      if (length > in.remaining()) {
        return null;
      }
      byte[] header = new byte[(int) length];
      in.get(header);
      return read(new String(header, StandardCharsets.ISO_8859_1), in);
    } catch (IOException | RuntimeException e) {
      return null;
    }
  }

  private static Content read(String python, ByteBuffer elements) throws IOException {
    boolean json = Pattern.compile("\\b(true|false)\\b").matcher(python).find(); // not Python
    boolean single =
        Pattern.compile("\\(\\s*\\d+L?\\s*\\)").matcher(python).find(); // no tuple of one
    if (json || single || python.indexOf('\\') >= 0) {
      return null;
    }
    String text =
        python
            .replace('\f', ' ') // which Python takes for a space, and JSON does not
            .replaceAll("(?<=\\d)L(?=[,)])", "")
            .replaceAll("\\(\\s*(\\d+)\\s*,\\s*\\)", "[$1]")
            .replaceAll(",(\\s*[)}])", "$1")
            .replace('(', '[')
            .replace(')', ']')
            .replace('\'', '"')
            .replaceAll("\\bTrue\\b", "true")
            .replaceAll("\\bFalse\\b", "false");
    JsonReader reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
    Set<String> keys = new HashSet<>();
    String descriptor = null;
    boolean fortran = false;
    List<Long> sizes = new ArrayList<>();
    reader.beginObject();
    while (reader.hasNext()) {
      String key = reader.nextName();
      if (!keys.add(key)) {
        return null;
      }
      switch (key) {
        case "descr" -> descriptor = reader.nextString();
        case "fortran_order" -> fortran = reader.nextBoolean();
        case "shape" -> {
          reader.beginArray();
          while (reader.hasNext()) {
            boolean number = reader.peek() == JsonToken.NUMBER;
            String digits = reader.nextString();
            if (!number || !digits.matches("\\d+")) {
              return null;
            }
            sizes.add(Long.parseLong(digits));
          }
          reader.endArray();
        }
        default -> {
          return null;
        }
      }
    }
    reader.endObject();
    boolean ends = reader.peek() == JsonToken.END_DOCUMENT;
    if (!ends || keys.size() != 3 || fortran && sizes.size() > 1) {
      return null;
    }
    return content(descriptor, sizes, elements);
  }

  private static Content content(String descriptor, List<Long> sizes, ByteBuffer elements) {
    NpyType type = null;
    for (NpyType one : NpyType.values()) {
      String name = one == NpyType.BFLOAT16 ? descriptor.replace('|', '<') : descriptor;
      type = one.descriptor().equals(name) ? one : type;
    }
    double count = sizes.stream().mapToDouble(size -> size).reduce(1, (a, b) -> a * b);
    if (type == null || count * type.byteSize() > elements.remaining()) {
      return null;
    }
    double[] values = new double[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (type) {
            case FLOAT32 -> elements.getFloat();
            case FLOAT64 -> elements.getDouble();
            case FLOAT16 -> Float.float16ToFloat(elements.getShort());
            case BFLOAT16 -> Float.intBitsToFloat(elements.getShort() << 16);
            case INT32 -> elements.getInt();
            case INT64 -> elements.getLong();
            case BOOL -> elements.get();
          };
    }
    return new Content(type, sizes.stream().mapToLong(size -> size).toArray(), values);
  }
}
