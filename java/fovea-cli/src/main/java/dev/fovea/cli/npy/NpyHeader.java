package dev.fovea.cli.npy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The header of an .npy file, versions 1.0 and 2.0: magic, version, length, and a Python dictionary
 * that ends in a newline.
 *
 * @param type element type
 * @param shape sizes; none for a scalar
 * @param dataOffset byte at which the elements begin
 */
record NpyHeader(NpyType type, long[] shape, long dataOffset) {

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int PREFIX = 10; // magic, version and the short length of version 1.0
  private static final int ALIGNMENT = 64;

  private static final Pattern DESCRIPTOR =
      Pattern.compile("['\"]descr['\"]\\s*:\\s*['\"]([^'\"]*)['\"]");
  private static final Pattern FORTRAN =
      Pattern.compile("['\"]fortran_order['\"]\\s*:\\s*(True|False)");
  private static final Pattern SHAPE =
      Pattern.compile("['\"]shape['\"]\\s*:\\s*\\(([\\d\\s,]*)\\)");

  /** Number of elements. */
  long elements() {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  /**
   * Reads a header.
   *
   * @param start the first bytes of the file, at least as many as the header has if the file does
   */
  static NpyHeader parse(ByteBuffer start) throws NpyException {
    ByteBuffer in = start.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (in.remaining() < PREFIX || !in.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC))) {
      throw new NpyException("it is not an .npy file");
    }
    int major = in.get(MAGIC.length);
    if (major != 1 && major != 2 && major != 3) {
      throw new NpyException("its format version is " + major + ", expected 1, 2 or 3");
    }
    int prefix = major == 1 ? PREFIX : PREFIX + 2;
    if (in.remaining() < prefix) {
      throw new NpyException("its header is cut short");
    }
    long length = major == 1 ? in.getShort(8) & 0xFFFF : in.getInt(8) & 0xFFFFFFFFL;
    if (prefix + length > in.remaining()) {
      throw new NpyException("its header is cut short");
    }
    byte[] text = new byte[(int) length];
    in.get(prefix, text);
    return parse(new String(text, StandardCharsets.UTF_8), prefix + length);
  }

  private static NpyHeader parse(String dictionary, long dataOffset) throws NpyException {
    if (dictionary.contains("'descr': [")) {
      throw new NpyException("it holds records, expected one element type");
    }
    NpyType type = NpyType.of(find(DESCRIPTOR, "descr", dictionary));
    String sizes = find(SHAPE, "shape", dictionary);
    long[] shape;
    try {
      shape =
          Arrays.stream(sizes.split(","))
              .map(String::strip)
              .filter(s -> !s.isEmpty())
              .mapToLong(Long::parseLong)
              .toArray();
      Arrays.stream(shape).reduce(type.byteSize(), Math::multiplyExact);
    } catch (NumberFormatException | ArithmeticException e) {
      throw new NpyException("its shape (" + sizes + ") is too large");
    }
    // With one dimension, or none, both orders are the same.
    if (find(FORTRAN, "fortran_order", dictionary).equals("True") && shape.length > 1) {
      throw new NpyException(
          "it is in Fortran order, expected C order: save numpy.ascontiguousarray of it");
    }
    return new NpyHeader(type, shape, dataOffset);
  }

  private static String find(Pattern pattern, String key, String dictionary) throws NpyException {
    Matcher matcher = pattern.matcher(dictionary);
    if (!matcher.find()) {
      throw new NpyException("its header has no valid '" + key + "': " + dictionary.strip());
    }
    return matcher.group(1);
  }

  /** The bytes of a header, padded so that the elements are aligned for any vector unit. */
  static byte[] format(NpyType type, long... shape) {
    String sizes = Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining(", "));
    String dictionary =
        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"
            .formatted(type.descriptor(), shape.length == 1 ? sizes + "," : sizes);
    int total = Math.ceilDiv(PREFIX + dictionary.length() + 1, ALIGNMENT) * ALIGNMENT;
    ByteBuffer out = ByteBuffer.allocate(total).order(ByteOrder.LITTLE_ENDIAN);
    out.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) (total - PREFIX));
    out.put(dictionary.getBytes(StandardCharsets.US_ASCII));
    while (out.position() < total - 1) {
      out.put((byte) ' ');
    }
    return out.put((byte) '\n').array();
  }
}
