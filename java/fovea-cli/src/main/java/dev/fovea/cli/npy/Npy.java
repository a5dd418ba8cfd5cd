package dev.fovea.cli.npy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Arrays in NumPy's .npy files, in C order.
 *
 * @param type element type
 * @param shape sizes; none for a scalar
 * @param data the elements, native memory; of a file that was read: mapped, and not to be written
 */
public record Npy(NpyType type, long[] shape, MemorySegment data) {

  /** A header longer than this is not one of a plain array. */
  private static final int LONGEST_HEADER = 1 << 16;

  /** Bytes of one write: a buffer ends at 2 GB. */
  private static final long CHUNK = 1L << 30;

  /** Number of elements. */
  public long elements() {
    return data.byteSize() / type.byteSize();
  }

  /**
   * Maps {@code file} into memory.
   *
   * @param arena how long the mapping lives
   * @throws NpyException if it is not an .npy file of a known type in C order
   * @throws IOException if it cannot be read
   */
  public static Npy read(Path file, Arena arena) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer start = ByteBuffer.allocate((int) Math.min(LONGEST_HEADER, size));
      while (start.hasRemaining() && channel.read(start, start.position()) > 0) {}
      NpyHeader header = NpyHeader.parse(start.flip());
      long bytes = header.elements() * header.type().byteSize();
      if (size - header.dataOffset() < bytes) {
        throw new NpyException(
            "it holds %d bytes of elements, its header promises %d"
                .formatted(size - header.dataOffset(), bytes));
      }
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      MemorySegment data = all.asSlice(header.dataOffset(), bytes);
      if (header.dataOffset() % header.type().byteSize() != 0) {
        data = arena.allocate(bytes, Long.BYTES).copyFrom(data);
      }
      return new Npy(header.type(), header.shape(), data);
    } catch (NpyException e) {
      throw new NpyException(file + ": " + e.getMessage());
    }
  }

  /**
   * Writes this array to {@code file}, replacing what is there.
   *
   * @throws IOException if it cannot be written
   */
  public void write(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.WRITE,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      writeFully(channel, ByteBuffer.wrap(NpyHeader.format(type, shape)));
      for (long at = 0; at < data.byteSize(); at += CHUNK) {
        long length = Math.min(CHUNK, data.byteSize() - at);
        writeFully(channel, data.asSlice(at, length).asByteBuffer());
      }
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
