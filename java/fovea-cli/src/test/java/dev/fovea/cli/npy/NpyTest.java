package dev.fovea.cli.npy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.NpyFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class NpyTest {

  @TempDir private Path folder;

  private Arena arena;
  private Path file;

  @BeforeEach
  void open() {
    arena = Arena.ofConfined();
    file = folder.resolve("a.npy");
  }

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @EnumSource
  void everyTypeComesBack(NpyType type) throws IOException {
    MemorySegment data = arena.allocate(24L * type.byteSize(), 8);
    for (long i = 0; i < data.byteSize(); i++) {
      data.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 7));
    }
    NpyFiles.write(new Npy(type, new long[] {2, 3, 4}, data), file);
    Npy read = Npy.read(file, arena);
    assertEquals(type, read.type());
    assertArrayEquals(new long[] {2, 3, 4}, read.shape());
    assertEquals(24, read.elements());
    assertEquals(-1, data.mismatch(read.data()));
    assertEquals(0, read.data().address() % 64);
  }

  @Test
  void shapesOfNoneOneAndZero() throws IOException {
    for (long[] shape : new long[][] {{}, {1}, {0}, {5}, {3, 0, 2}, {1, 1, 1, 1}}) {
      long elements = java.util.Arrays.stream(shape).reduce(1, (a, b) -> a * b);
      NpyFiles.write(new Npy(NpyType.FLOAT32, shape, arena.allocate(elements * 4, 4)), file);
      Npy read = Npy.read(file, arena);
      assertArrayEquals(shape, read.shape());
      assertEquals(elements, read.elements());
    }
  }

  @Test
  void readsWhatNumpyWrites() throws IOException {
    // numpy 1 and 2 pad to 64 bytes; older ones to 16; the order of keys is free.
    write(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 16, 8);
    assertArrayEquals(new long[] {2}, Npy.read(file, arena).shape());
    write(2, "{\"shape\":(1, 2), \"fortran_order\":False, \"descr\":\"<f4\"}", 64, 8);
    assertArrayEquals(new long[] {1, 2}, Npy.read(file, arena).shape());
    write(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 64, 8);
    assertEquals(2, Npy.read(file, arena).elements());
    write(1, "{'descr': '|V2', 'fortran_order': False, 'shape': (4,), }", 64, 8);
    assertEquals(NpyType.BFLOAT16, Npy.read(file, arena).type());
    write(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L), }", 64, 8);
    assertArrayEquals(new long[] {1, 2}, Npy.read(file, arena).shape());
    write(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 3, 8);
    assertEquals(0, Npy.read(file, arena).data().address() % 8, "misaligned data is moved");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '!',
      value = {
        "'descr': '>f4', 'fortran_order': False, 'shape': (2,) ! astype('<f4')",
        "'descr': '|O', 'fortran_order': False, 'shape': (2,)  ! pickled Python objects",
        "'descr': '<c8', 'fortran_order': False, 'shape': (2,) ! '<c8' is not one of",
        "'descr': '<f4', 'fortran_order': True, 'shape': (2,1) ! Fortran order",
        "'descr': '<f4', 'fortran_order': False, 'shape': (3,) ! holds 8 bytes",
        "'descr': '<f4', 'fortran_order': False                ! no valid 'shape'",
        "'descr': '<f4', 'fortran_order': False, 'shape': 2    ! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (2)  ! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (-1,)! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (2 2)! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (1,,2)! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (02,)! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': 0, 'shape': (2,)     ! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': 'F', 'shape': (2,)   ! no valid 'fortran_order'",
        "'descr': '<f4', 'fortran_order': False, 'shape': (2,)} {! not what NumPy writes",
        "'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (1,) ! 'shape' twice",
        "'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': (1,) ! unknown 'more'",
        "'descr': '<f4', 'fortran_order': False, 'shape': (1, 1099511627776) ! promises"
            + " 4398046511104",
        "'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807) ! too large",
        "'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,) ! too large",
        "'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296) ! too large",
        "'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,) ! records"
      },
      quoteCharacter = '"')
  void refusesWithAReason(String dictionary, String reason) throws IOException {
    write(1, "{" + dictionary + "}", 64, 8);
    NpyException refusal = assertThrows(NpyException.class, () -> Npy.read(file, arena));
    assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
  }

  @Test
  void refusesOtherFilesWithAReason() throws IOException {
    refused("it is empty", new byte[0]);
    refused("not an .npy file", "not numpy at all".getBytes(StandardCharsets.US_ASCII));
    refused("not an .npy file", start(0x93, 'N', 'U', 'M'));
    refused("cut short", start(0x93, 'N', 'U', 'M', 'P', 'Y'));
    refused("version is 9", start(0x93, 'N', 'U', 'M', 'P', 'Y', 9, 0, 10, 0));
    refused("version is 255", start(0x93, 'N', 'U', 'M', 'P', 'Y', 255, 0, 10, 0));
    refused("cut short", start(0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 100, 0, '{'));
    refused("cut short", start(0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 255, 255));
    refused("4294967295 bytes", start(0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 255, 255, 255, 255));
    refused(".npz archive", start('P', 'K', 3, 4, 0));
  }

  private static byte[] start(int... bytes) {
    byte[] start = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      start[i] = (byte) bytes[i];
    }
    return start;
  }

  private void refused(String reason, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    NpyException refusal = assertThrows(NpyException.class, () -> Npy.read(file, arena));
    assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
  }

  @Test
  void foldersAndDevicesAreNotOpened() {
    for (Path path : List.of(folder, Path.of("/dev/zero"))) {
      NpyException refusal = assertThrows(NpyException.class, () -> Npy.read(path, arena));
      String reason = path.equals(folder) ? "it is a folder" : "it is no regular file";
      assertTrue(refusal.getMessage().startsWith(reason), refusal.getMessage());
    }
  }

  @Test
  void aHeaderReachesNoTerminalAsItIs() throws IOException {
    write(1, "{'descr': '\u001b[31m', 'fortran_order': False, 'shape': (2,), }", 64, 8);
    NpyException refusal = assertThrows(NpyException.class, () -> Npy.read(file, arena));
    assertTrue(refusal.getMessage().contains("'?[31m'"), refusal.getMessage());
  }

  private void write(int version, String dictionary, int alignment, int dataBytes)
      throws IOException {
    int prefix = version == 1 ? 10 : 12;
    int total = Math.ceilDiv(prefix + dictionary.length() + 1, alignment) * alignment;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteBuffer start = ByteBuffer.allocate(prefix).order(ByteOrder.LITTLE_ENDIAN);
    start.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', (byte) version, 0});
    if (version == 1) {
      start.putShort((short) (total - prefix));
    } else {
      start.putInt(total - prefix);
    }
    out.write(start.array());
    String padded = dictionary + " ".repeat(total - prefix - dictionary.length() - 1) + "\n";
    out.write(padded.getBytes(StandardCharsets.US_ASCII));
    out.write(new byte[dataBytes]);
    Files.write(file, out.toByteArray());
  }
}
