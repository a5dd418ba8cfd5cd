package dev.fovea.cli.generate;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Text of UTF-8 that comes byte by byte; what is none becomes U+FFFD. */
final class ByteText {
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private final ByteBuffer pending = ByteBuffer.allocate(8); // bytes of a character begun
  private final CharBuffer chars = CharBuffer.allocate(8);

  /** The characters that this byte completes, often none or one. */
  String add(int token) {
    pending.put((byte) token).flip();
    decoder.decode(pending, chars, false);
    pending.compact();
    String done = chars.flip().toString();
    chars.clear();
    return done;
  }

  static String of(int[] tokens) {
    byte[] bytes = new byte[tokens.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) tokens[i];
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  static int[] tokens(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] tokens = new int[bytes.length];
    Arrays.setAll(tokens, i -> Byte.toUnsignedInt(bytes[i]));
    return tokens;
  }
}
