package dev.fovea.nn.train;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Files of named tensors in the safetensors format: the length of a header, the header in JSON, and
 * the elements in row-major order, little-endian.
 *
 * <p>A file is written beside its place, synced, and moved there: a process that is killed at any
 * moment, or a disk that is full, leaves the file that was there. What is written here has a
 * checksum of the elements among its metadata, which is checked where it is read.
 */
public final class Safetensors {
  private static final String CHECKSUM = "crc32c";
  private static final int MOST_HEADER = 100_000_000; // of the format's reference reader
  private static final int CHUNK = 1 << 24;

  private final Path path;
  private final Map<String, Tensor> tensors;
  private final Map<String, String> others; // tensors that are not read, and their types
  private final Map<String, String> metadata;

  private Safetensors(
      Path path,
      Map<String, Tensor> tensors,
      Map<String, String> others,
      Map<String, String> metadata) {
    this.path = path;
    this.others = others;
    this.tensors = Collections.unmodifiableMap(tensors);
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  // ---- writing

  /**
   * Writes a file, or leaves what is there.
   *
   * @param tensors by their names, in the order of the file; of any device
   * @param metadata what else is to be known
   * @throws IOException if it cannot be written
   * @throws IllegalArgumentException if a tensor is named {@code __metadata__}, metadata {@code
   *     crc32c}, if a text is no Unicode, or if names, shapes and metadata are more than 100 MB
   */
  public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    checkNames(tensors, metadata);
    Path whole = path.toAbsolutePath();
    Path early = whole.resolveSibling("." + whole.getFileName() + ".new");
    try (FileChannel place = FileChannel.open(whole.getParent(), StandardOpenOption.READ)) {
      FileChannel file =
          FileChannel.open(
              early,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE);
      boolean moved = false;
      try {
        try (file) {
          write(file, tensors, metadata);
          file.force(true);
        }
        Files.move(early, whole, StandardCopyOption.ATOMIC_MOVE);
        moved = true;
      } finally {
        if (!moved) {
          Files.deleteIfExists(early);
        }
      }
      place.force(true); // else a crash of the machine might forget the move
    }
  }

  private static void checkNames(Map<String, Tensor> tensors, Map<String, String> metadata) {
    CharsetEncoder utf8 = StandardCharsets.UTF_8.newEncoder();
    Stream<String> texts =
        Stream.of(tensors.keySet(), metadata.keySet(), metadata.values())
            .flatMap(Collection::stream);
    texts.forEach(
        text -> {
          if (!utf8.canEncode(text)) {
            throw new IllegalArgumentException("no Unicode, a half surrogate pair: " + text);
          }
        });
    if (tensors.containsKey(SafetensorsHeader.METADATA)) {
      throw new IllegalArgumentException("no tensor can be named " + SafetensorsHeader.METADATA);
    }
    if (metadata.containsKey(CHECKSUM)) {
      throw new IllegalArgumentException("no metadata can be named " + CHECKSUM);
    }
  }

  /** The checksum stands in the header but is of what follows: it is filled in at the end. */
  private static void write(
      FileChannel file, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    writeAll(file, header(tensors, metadata, 0));
    CRC32C crc = new CRC32C();
    for (Tensor tensor : tensors.values()) {
      writeElements(file, crc, tensor);
    }
    ByteBuffer last = header(tensors, metadata, (int) crc.getValue());
    file.position(0);
    writeAll(file, last);
  }

  private static void writeAll(FileChannel file, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      file.write(bytes);
    }
  }

  private static ByteBuffer header(
      Map<String, Tensor> tensors, Map<String, String> metadata, int crc) {
    JsonObject header = new JsonObject();
    JsonObject known = new JsonObject();
    metadata.forEach(known::addProperty);
    known.addProperty(CHECKSUM, "%08x".formatted(crc));
    header.add(SafetensorsHeader.METADATA, known);
    long at = 0;
    for (Map.Entry<String, Tensor> each : tensors.entrySet()) {
      Tensor tensor = each.getValue();
      JsonObject entry = new JsonObject();
      entry.addProperty("dtype", SafetensorsHeader.NAMES.get(tensor.dtype()));
      JsonArray shape = new JsonArray();
      Arrays.stream(tensor.shape()).forEach(shape::add);
      entry.add("shape", shape);
      JsonArray offsets = new JsonArray();
      offsets.add(at);
      at += tensor.elements() * tensor.dtype().byteSize();
      offsets.add(at);
      entry.add("data_offsets", offsets);
      header.add(each.getKey(), entry);
    }
    byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (text.length + 7) / 8 * 8; // elements begin at a multiple of 8
    if (padded > MOST_HEADER) {
      throw new IllegalArgumentException(
          "a header of %d bytes, of which %d can be read".formatted(padded, MOST_HEADER));
    }
    ByteBuffer bytes = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(padded).put(text);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.flip();
  }

  private static void writeElements(FileChannel file, CRC32C crc, Tensor tensor)
      throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment elements =
          arena.allocate(Math.max(1, tensor.elements() * tensor.dtype().byteSize()), 64);
      Tensor.of(elements, tensor.dtype(), tensor.shape()).copyFrom(tensor);
      long bytes = tensor.elements() * tensor.dtype().byteSize();
      for (long from = 0; from < bytes; from += CHUNK) {
        ByteBuffer chunk = elements.asSlice(from, Math.min(CHUNK, bytes - from)).asByteBuffer();
        crc.update(chunk.duplicate());
        writeAll(file, chunk);
      }
    }
  }

  // ---- reading

  /**
   * Reads a file into an arena. Tensors of other types than those of {@link DType}, such as int64,
   * are passed over.
   *
   * @param arena what keeps the tensors
   * @throws IOException if it cannot be read, or is not what this format allows: damaged, cut short
   */
  public static Safetensors read(Path path, Arena arena) throws IOException {
    if (Files.isDirectory(path)) { // which can be opened
      throw new FileSystemException(path.toString(), null, "is a folder");
    }
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = file.size();
      ByteBuffer first = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      fill(path, file, first, 0);
      long length = first.getLong(0);
      if (length < 2 || length > MOST_HEADER || length > size - 8) {
        throw damaged(path, "its header would have %d of %d bytes".formatted(length, size));
      }
      ByteBuffer text = ByteBuffer.allocate((int) length);
      fill(path, file, text, 8);
      long bytes = size - 8 - length;
      SafetensorsHeader header = header(path, text, bytes);
      MemorySegment data = arena.allocate(Math.max(1, bytes), 64);
      for (long from = 0; from < bytes; from += CHUNK) {
        ByteBuffer chunk = data.asSlice(from, Math.min(CHUNK, bytes - from)).asByteBuffer();
        fill(path, file, chunk, 8 + length + from);
      }
      return of(path, header, data.asSlice(0, bytes), arena);
    }
  }

  private static void fill(Path path, FileChannel file, ByteBuffer to, long from)
      throws IOException {
    long at = from;
    while (to.hasRemaining()) {
      int read = file.read(to, at);
      if (read < 0) {
        throw damaged(path, "it ends too early");
      }
      at += read;
    }
    to.flip();
  }

  private static SafetensorsHeader header(Path path, ByteBuffer text, long bytes)
      throws IOException {
    try {
      return SafetensorsHeader.parse(text, bytes);
    } catch (IllegalArgumentException e) {
      throw damaged(path, e.getMessage());
    }
  }

  private static Safetensors of(
      Path path, SafetensorsHeader header, MemorySegment data, Arena arena) throws IOException {
    Map<String, String> metadata = header.metadata();
    String expected = metadata.remove(CHECKSUM);
    if (expected != null) {
      CRC32C crc = new CRC32C();
      for (long from = 0; from < data.byteSize(); from += CHUNK) {
        crc.update(data.asSlice(from, Math.min(CHUNK, data.byteSize() - from)).asByteBuffer());
      }
      String found = "%08x".formatted((int) crc.getValue());
      if (!found.equals(expected)) {
        throw damaged(
            path, "the checksum of its elements is %s, expected %s".formatted(found, expected));
      }
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, String> others = new HashMap<>();
    for (SafetensorsHeader.Entry it : header.entries()) {
      if (it.dtype() == null) {
        others.put(it.name(), it.type());
      } else {
        tensors.put(it.name(), it.tensor(data, arena));
      }
    }
    return new Safetensors(path, tensors, others, metadata);
  }

  private static IOException damaged(Path path, String why) {
    return new IOException(path + " is damaged, or no safetensors file: " + why);
  }

  /** The tensors by their names, in the order of the header, in memory of the CPU. Unmodifiable. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /**
   * One of them.
   *
   * @throws IOException if it is missing, was passed over for its type, or has another shape
   */
  public Tensor tensor(String name, long... shape) throws IOException {
    Tensor tensor = tensors.get(name);
    if (others.containsKey(name)) {
      throw new IOException(
          "%s has %s of type %s, which is not read".formatted(path, name, others.get(name)));
    }
    if (tensor == null) {
      throw new IOException(path + " has no " + name);
    }
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IOException(
          "%s has %s of shape %s, expected %s"
              .formatted(path, name, Arrays.toString(tensor.shape()), Arrays.toString(shape)));
    }
    return tensor;
  }

  /**
   * Copies tensors into the parameters of their names, in whatever type they are.
   *
   * @throws IOException if one is missing or of another shape; then none has changed
   */
  public void copyTo(Parameters parameters) throws IOException {
    copies(parameters).forEach(Tensor::copyFrom);
    parameters.changed();
  }

  /** From the values of parameters to what they are to be. */
  Map<Tensor, Tensor> copies(Parameters parameters) throws IOException {
    Map<Tensor, Tensor> copies = new LinkedHashMap<>();
    for (Map.Entry<String, Parameter> each : parameters.named().entrySet()) {
      Tensor to = each.getValue().value();
      copies.put(to, tensor(each.getKey(), to.shape()));
    }
    return copies;
  }

  /** What else the file says, without the checksum. Unmodifiable. */
  public Map<String, String> metadata() {
    return metadata;
  }
}
