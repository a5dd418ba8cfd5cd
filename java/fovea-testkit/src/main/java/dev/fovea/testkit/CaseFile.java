package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.ffi.NativeOperation;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Writes a case to a file that native/tools/replay.cpp runs against the C ABI without a JVM: for
 * sanitizers and profilers.
 *
 * <p>The format, little-endian throughout, nothing aligned, one case after another in a file:
 *
 * <pre>
 * char[8]   "FOVCASE2"
 * int32     the operation, as fovea_plan numbers it
 * int32     n, then n bytes           description, UTF-8
 * int32     n, then n bytes           its spec of fovea.h, its own size first
 * uint64    dropout_seed
 * uint32    dropout_offset
 * what the pass of the spec reads, in the order of arguments:
 *   int32   present: 0 or 1; the rest only if 1
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, then n bytes           the whole buffer, poison included
 * what it writes:
 *   int32   present: 0 or 1; the rest only if 1
 *   int32   dtype, FOVEA_FLOAT32 ...; elements of one byte are compared as that
 *   uint32  canary: bits that an element which is not to be written keeps, in the low bytes
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, elements of the buffer
 *   int32   1 = the whole buffer follows as it is before the call; 0 = all canary
 *   uint8   state[n]                  0 must keep the canary, 1 compare, 2 free
 *   float64 (expected, allowed absolute error) for every element of state 1, in order;
 *           NaN is met by NaN only, an infinity by itself only
 *   float64 allowed root mean square error over the finite elements of state 1, may be infinite
 * </pre>
 */
public final class CaseFile {

  private static final int BUFFER = 1 << 16;

  private final OutputStream out;
  private final ByteBuffer pending = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);

  private CaseFile(OutputStream out) {
    this.out = out;
  }

  /**
   * Writes one case, with outputs as the device of that name is held to them. The file appears
   * whole or not at all.
   *
   * @throws IOException if it cannot be written; a file that was there is as it was
   */
  public static void write(Path path, CheckedCase c, String device) throws IOException {
    try (WholeFile file = WholeFile.begin(path)) {
      OutputStream stream = new BufferedOutputStream(Channels.newOutputStream(file.channel()));
      write(stream, c, device);
      stream.flush();
      file.move();
    }
  }

  /** Appends one case to a stream. */
  public static void write(OutputStream stream, CheckedCase c, String device) throws IOException {
    CaseFile file = new CaseFile(stream);
    c.write(file, device);
    file.flush();
  }

  /**
   * Begins a case.
   *
   * @param spec the block of fovea.h
   * @param seed of dropout, 0 without
   * @param offset of dropout, 0 without
   */
  @SuppressWarnings("exports") // for the operations in this module
  public void head(NativeOperation operation, CheckedCase c, byte[] spec, long seed, int offset)
      throws IOException {
    bytes("FOVCASE2".getBytes(StandardCharsets.US_ASCII));
    i32(operation.id());
    block((c.repeat() + " " + c).getBytes(StandardCharsets.UTF_8));
    block(spec);
    i64(seed);
    i32(offset);
  }

  private void block(byte[] values) throws IOException {
    i32(values.length);
    bytes(values);
  }

  private static int flag(boolean set) {
    return set ? 1 : 0;
  }

  /** A type as fovea.h numbers it. */
  public static int dtype(DType type) {
    return switch (type) {
      case FLOAT32 -> 1;
      case FLOAT16 -> 2;
      case BFLOAT16 -> 3;
      case INT8 -> 4;
      case INT4X2 -> 5;
      case FLOAT8_E4M3 -> 6;
      default -> throw new IllegalArgumentException(type + " is no type of a spec");
    };
  }

  /** An operand that is read, NaN as poison; absent if {@code values} are null. */
  public void operand(Layout layout, DType type, float[] values) throws IOException {
    i32(flag(values != null));
    if (values == null) {
      return;
    }
    int size = Rounding.bytes(type);
    i64(layout.isEmpty() ? 0 : layout.offset() * size);
    i64((long) values.length * size);
    for (float value : values) {
      element(size, Rounding.bits(type, value));
    }
  }

  private void element(int size, int bits) throws IOException {
    switch (size) {
      case 1 -> room(1).put((byte) bits);
      case 2 -> room(2).putShort((short) bits);
      default -> i32(bits);
    }
  }

  /** Lengths or offsets; null: absent. */
  public void ints(int[] values) throws IOException {
    i32(flag(values != null));
    if (values == null) {
      return;
    }
    i64(0);
    i64(4L * values.length);
    for (int value : values) {
      i32(value);
    }
  }

  /** An operand that is written; absent if nothing is expected of it. */
  public void output(Layout layout, Expected expected, float[] before) throws IOException {
    if (!outputHead(layout, expected)) {
      return;
    }
    DType type = expected.dtype();
    i32(flag(before != null));
    for (int i = 0; before != null && i < before.length; i++) {
      boolean canary = Float.isNaN(before[i]);
      element(
          Rounding.bytes(type), canary ? Rounding.canary(type) : Rounding.bits(type, before[i]));
    }
    expectation(expected);
  }

  private boolean outputHead(Layout layout, Expected expected) throws IOException {
    i32(flag(expected != null));
    if (expected == null) {
      return false;
    }
    i32(dtype(expected.dtype()));
    i32(Rounding.canary(expected.dtype()));
    i64(layout.isEmpty() ? 0 : layout.offset() * Rounding.bytes(expected.dtype()));
    i64(expected.elements());
    return true;
  }

  private void expectation(Expected expected) throws IOException {
    for (int i = 0; i < expected.elements(); i++) {
      room(1).put(expected.state(i));
    }
    for (int i = 0; i < expected.elements(); i++) {
      if (expected.state(i) == Expected.COMPARE) {
        room(16).putDouble(expected.value(i)).putDouble(expected.allowed(i));
      }
    }
    room(8).putDouble(expected.allowedRmse());
  }

  private void i32(int value) throws IOException {
    room(4).putInt(value);
  }

  private void i64(long value) throws IOException {
    room(8).putLong(value);
  }

  private void bytes(byte[] values) throws IOException {
    flush();
    out.write(values);
  }

  private ByteBuffer room(int bytes) throws IOException {
    if (pending.remaining() < bytes) {
      flush();
    }
    return pending;
  }

  private void flush() throws IOException {
    out.write(pending.array(), 0, pending.position());
    pending.clear();
  }
}
