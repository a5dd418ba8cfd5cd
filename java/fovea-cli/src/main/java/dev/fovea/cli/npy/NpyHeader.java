package dev.fovea.cli.npy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The header of an .npy file, versions 1.0, 2.0 and 3.0: magic, version, length, and a Python
 * dictionary that ends in a newline.
 *
 * @param type element type
 * @param shape sizes; none for a scalar
 * @param dataOffset byte at which the elements begin
 */
record NpyHeader(NpyType type, long[] shape, long dataOffset) {

  /** A header longer than this is not one of a plain array. */
  static final int LONGEST = 1 << 16;

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final byte[] ZIP = {'P', 'K', 3, 4};
  private static final int PREFIX = 10; // magic, version and the short length of version 1.0
  private static final int ALIGNMENT = 64;

  private static final String TYPE = "descr";
  private static final String FORTRAN = "fortran_order";
  private static final String SHAPE = "shape";

  /** Number of elements. */
  long elements() {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b); // which does not overflow: see shape()
  }

  /**
   * Reads a header.
   *
   * @param start the first bytes of the file: all of it, or {@link #LONGEST} bytes
   */
  static NpyHeader parse(ByteBuffer start) throws NpyException {
    ByteBuffer in = start.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (begins(in, ZIP)) {
      throw new NpyException(
          "it is an .npz archive, expected an .npy file: save one array by numpy.save");
    }
    if (!begins(in, MAGIC)) {
      throw new NpyException(in.hasRemaining() ? "it is not an .npy file" : "it is empty");
    }
    if (in.remaining() < PREFIX) {
      throw cutShort();
    }
    int major = in.get(MAGIC.length);
    if (major != 1 && major != 2 && major != 3) {
      throw new NpyException("its format version is " + (major & 0xFF) + ", expected 1, 2 or 3");
    }
    int prefix = major == 1 ? PREFIX : PREFIX + 2;
    if (in.remaining() < prefix) {
      throw cutShort();
    }
    long length = major == 1 ? in.getShort(8) & 0xFFFF : in.getInt(8) & 0xFFFFFFFFL;
    if (prefix + length > LONGEST) {
      throw new NpyException(
          "its header has %d bytes, expected at most %d".formatted(length, LONGEST - prefix));
    }
    if (prefix + length > in.remaining()) {
      throw cutShort();
    }
    byte[] text = new byte[(int) length];
    in.get(prefix, text);
    return parse(new String(text, StandardCharsets.ISO_8859_1), prefix + length);
  }

  private static boolean begins(ByteBuffer in, byte[] with) {
    return in.remaining() >= with.length && in.slice(0, with.length).equals(ByteBuffer.wrap(with));
  }

  private static NpyException cutShort() {
    return new NpyException("its header is cut short");
  }

  private static NpyHeader parse(String text, long dataOffset) throws NpyException {
    Map<String, Object> dictionary = NpyDictionary.parse(text);
    NpyType type = NpyType.of(entry(dictionary, TYPE, String.class));
    long[] shape = shape(entry(dictionary, SHAPE, List.class), type);
    boolean fortran = entry(dictionary, FORTRAN, Boolean.class);
    Set<String> known = Set.of(TYPE, FORTRAN, SHAPE);
    for (String key : dictionary.keySet()) {
      if (!known.contains(key)) {
        throw new NpyException("its header has an unknown '" + NpyDictionary.printable(key) + "'");
      }
    }
    // With one dimension, or none, both orders are the same.
    if (fortran && shape.length > 1) {
      throw new NpyException(
          "it is in Fortran order, expected C order: save numpy.ascontiguousarray of it");
    }
    return new NpyHeader(type, shape, dataOffset);
  }

  private static <T> T entry(Map<String, Object> dictionary, String key, Class<T> type)
      throws NpyException {
    Object value = dictionary.get(key);
    if (!type.isInstance(value)) {
      throw new NpyException("its header has no valid '" + key + "'");
    }
    return type.cast(value);
  }

  private static long[] shape(List<?> numbers, NpyType type) throws NpyException {
    long[] shape = new long[numbers.size()];
    try {
      long bytes = type.byteSize();
      for (int i = 0; i < shape.length; i++) {
        shape[i] = Long.parseLong((String) numbers.get(i));
        // Of empty arrays too, as NumPy: strides multiply the sizes before the empty one.
        bytes = Math.multiplyExact(bytes, Math.max(1, shape[i]));
      }
      return shape;
    } catch (NumberFormatException | ArithmeticException e) {
      String sizes = numbers.stream().map(String::valueOf).collect(Collectors.joining(", "));
      throw new NpyException("its shape (" + sizes + ") is too large");
    }
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
