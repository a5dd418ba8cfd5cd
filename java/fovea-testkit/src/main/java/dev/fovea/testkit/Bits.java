package dev.fovea.testkit;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * What tells whether cases gave the same output bits as at another time: a number for each case,
 * whose sum is that of all of them, in whatever order they ran.
 */
final class Bits {

  private Bits() {}

  /** Of case {@code index}: the first eight bytes of SHA-256 over it and its outputs. */
  static long of(long index, byte[] outputs) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(ByteBuffer.allocate(Long.BYTES).putLong(index).flip());
      return ByteBuffer.wrap(digest.digest(outputs)).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
