package dev.fovea.cli.npy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Arrays in NumPy's .npy files, in C order.
 *
 * @param type element type
 * @param shape sizes; none for a scalar
 * @param data the elements, native memory; of a file that was read: mapped, and not to be written
 */
public record Npy(NpyType type, long[] shape, MemorySegment data) {

  /** Bytes of one write: a buffer ends at 2 GB. */
  private static final long CHUNK = 1L << 30;

  /** Number of elements. */
  public long elements() {
    return data.byteSize() / type.byteSize();
  }

  /** Element {@code index}, counted in C order. */
  public double value(long index) {
    return switch (type) {
      case FLOAT32 -> data.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index);
      case FLOAT64 -> data.getAtIndex(ValueLayout.JAVA_DOUBLE_UNALIGNED, index);
      case FLOAT16 ->
          Float.float16ToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index));
      case BFLOAT16 ->
          Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index) << 16);
      case INT32 -> data.getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, index);
      case INT64 -> data.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, index);
      case BOOL -> data.get(ValueLayout.JAVA_BYTE, index);
    };
  }

  /**
   * Maps {@code file} into memory.
   *
   * @param arena how long the mapping lives
   * @throws NpyException if it is not an .npy file of a known type in C order
   * @throws IOException if it cannot be read
   */
  public static Npy read(Path file, Arena arena) throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
    if (!attributes.isRegularFile()) { // before it is opened: a pipe would block
      throw new NpyException(
          attributes.isDirectory()
              ? "it is a folder, expected an .npy file"
              : "it is no regular file, and only those can be mapped into memory");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer start = ByteBuffer.allocate((int) Math.min(NpyHeader.LONGEST, size));
      while (start.hasRemaining() && channel.read(start, start.position()) > 0) {}
      NpyHeader header = NpyHeader.parse(start.flip());
      long bytes = header.elements() * header.type().byteSize();
      if (size - header.dataOffset() < bytes) {
        throw new NpyException(
            "it is cut short: it holds %d bytes of elements, its header promises %d"
                .formatted(size - header.dataOffset(), bytes));
      }
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      MemorySegment data = all.asSlice(header.dataOffset(), bytes);
      if (header.dataOffset() % header.type().byteSize() != 0) {
        data = arena.allocate(bytes, Long.BYTES).copyFrom(data);
      }
      return new Npy(header.type(), header.shape(), data);
    }
  }

  /**
   * Writes this array.
   *
   * @throws IOException if it cannot be written
   */
  public void writeTo(FileChannel channel) throws IOException {
    writeFully(channel, ByteBuffer.wrap(NpyHeader.format(type, shape)));
    for (long at = 0; at < data.byteSize(); at += CHUNK) {
      long length = Math.min(CHUNK, data.byteSize() - at);
      writeFully(channel, data.asSlice(at, length).asByteBuffer());
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
