package dev.fovea.nn.train;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * Scalars for TensorBoard: an event file, which is records of a length, its checksum, a protocol
 * buffer message and its checksum. A record is written whole, so a reader may watch while training
 * goes on.
 */
final class EventFile implements AutoCloseable {
  /** TensorFlow rotates checksums that are stored beside what they are of, and adds this. */
  private static final int MASK = 0xa282ead8;

  // Field numbers and wire types of the messages Event, Summary and Summary.Value.
  private static final int WALL_TIME = 1 << 3 | 1;
  private static final int STEP = 2 << 3;
  private static final int FILE_VERSION = 3 << 3 | 2;
  private static final int SUMMARY = 5 << 3 | 2;
  private static final int VALUE = 1 << 3 | 2;
  private static final int TAG = 1 << 3 | 2;
  private static final int SIMPLE_VALUE = 2 << 3 | 5;

  private final OutputStream file;

  /** A new file in {@code folder}, which is made where there is none. */
  EventFile(Path folder) throws IOException {
    Files.createDirectories(folder);
    long now = System.currentTimeMillis();
    Path path =
        folder.resolve(
            "events.out.tfevents." + now / 1000 + ".fovea." + ProcessHandle.current().pid());
    file = Files.newOutputStream(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    byte[] version = "brain.Event:2".getBytes(StandardCharsets.UTF_8);
    ByteBuffer event = message(16 + version.length);
    event.put((byte) WALL_TIME).putDouble(now * 1e-3);
    bytes(event, FILE_VERSION, version);
    write(event);
  }

  /** One number of a step. */
  void scalar(String tag, int step, double value) throws IOException {
    byte[] name = tag.getBytes(StandardCharsets.UTF_8);
    ByteBuffer pair = message(16 + name.length);
    bytes(pair, TAG, name);
    pair.put((byte) SIMPLE_VALUE).putFloat((float) value);
    ByteBuffer summary = message(16 + pair.position());
    bytes(summary, VALUE, written(pair));
    ByteBuffer event = message(48 + summary.position());
    event.put((byte) WALL_TIME).putDouble(System.currentTimeMillis() * 1e-3);
    event.put((byte) STEP);
    varint(event, step);
    bytes(event, SUMMARY, written(summary));
    write(event);
  }

  private static ByteBuffer message(int most) {
    return ByteBuffer.allocate(most).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void bytes(ByteBuffer to, int field, byte[] value) {
    to.put((byte) field);
    varint(to, value.length);
    to.put(value);
  }

  private static void varint(ByteBuffer to, long value) {
    long rest = value;
    while (rest >>> 7 != 0) {
      to.put((byte) (rest & 0x7f | 0x80));
      rest >>>= 7;
    }
    to.put((byte) rest);
  }

  private static byte[] written(ByteBuffer message) {
    byte[] bytes = new byte[message.position()];
    message.flip().get(bytes);
    return bytes;
  }

  private void write(ByteBuffer event) throws IOException {
    byte[] data = written(event);
    ByteBuffer length = message(Long.BYTES).putLong(data.length);
    ByteBuffer record = message(data.length + 16);
    record.put(length.array()).putInt(masked(length.array())).put(data).putInt(masked(data));
    file.write(record.array());
  }

  private static int masked(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
