package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemoryLayout.PathElement;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a case file says, fovea_replay gives a verdict or a reason: it never crashes. */
class DamagedCaseFileTest {
  private static final long[] NUMBERS = {
    -1,
    0,
    1,
    2,
    3,
    5,
    255,
    1 << 20,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    1L << 31,
    1L << 32,
    1L << 40,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE
  };

  @TempDir Path folder;

  private record Ended(int status, String said) {}

  private Ended replay(byte[] file) throws IOException, InterruptedException {
    Path path = Files.write(folder.resolve("case"), file);
    Path output = folder.resolve("said");
    Path built = Path.of(System.getProperty("fovea.native.sim.path")).getParent().getParent();
    Process process =
        new ProcessBuilder(
                built.resolve("bin/fovea_replay").toString(),
                built.resolve("lib/libfovea_cpu.so").toString(),
                path.toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    if (!process.waitFor(2, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      return new Ended(-1, "it hangs");
    }
    return new Ended(process.exitValue(), Files.readString(output, StandardCharsets.ISO_8859_1));
  }

  private static final int DESCRIPTION = 8 + 4; // behind the magic and the operation

  private static final int SPEC_BYTES = (int) FoveaAttentionSpec.LAYOUT.byteSize();

  private static byte[] file(CheckedCase c) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CaseFile.write(bytes, c, "cpu");
    return bytes.toByteArray();
  }

  private static byte[] forward() throws IOException {
    return file(new CaseBuilder().lengths(1, 2, 3).headDim(4).build());
  }

  /** Where the description ends and, after its size, the spec begins. */
  private static int spec(byte[] file) {
    return DESCRIPTION + 4 + little(file).getInt(DESCRIPTION) + 4;
  }

  private static ByteBuffer little(byte[] file) {
    return ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void assertRefused(String why, byte[] file) throws Exception {
    Ended ended = replay(file);
    assertEquals(2, ended.status, ended.said);
    assertEquals("replay: " + folder.resolve("case") + ": " + why, ended.said.strip());
  }

  private void assertFails(String why, byte[] file) throws Exception {
    Ended ended = replay(file);
    assertEquals(1, ended.status, ended.said);
    assertTrue(ended.said.contains("\"reason\": \"" + why), ended.said);
  }

  private static byte[] with(byte[] file, int at, int value) {
    byte[] changed = file.clone();
    little(changed).putInt(at, value);
    return changed;
  }

  private static byte[] with(byte[] file, int at, long value) {
    byte[] changed = file.clone();
    little(changed).putLong(at, value);
    return changed;
  }

  @Test
  void sizesThatNoFileHas() throws Exception {
    byte[] file = forward();
    int spec = spec(file);
    int query = spec + SPEC_BYTES + 12; // behind seed and offset of dropout
    assertEquals(0, replay(file).status, "the file itself is right");
    assertRefused("not a case file", with(file, 0, 0));
    assertRefused("there is no operation 1000", with(file, 8, 1000));
    assertRefused("description has a size of -1", with(file, DESCRIPTION, -1));
    assertRefused("file ends inside a case", with(file, DESCRIPTION, Integer.MAX_VALUE));
    assertRefused("spec has a size of " + -SPEC_BYTES, with(file, spec - 4, -SPEC_BYTES));
    assertRefused(
        "spec has %1$d bytes, says that it has 2147483647, expected %1$d".formatted(SPEC_BYTES),
        with(file, spec, Integer.MAX_VALUE));
    assertRefused("pass is 2, expected 0 or 1", with(file, field(file, "pass"), 2));
    assertRefused("query is 7, expected 0 or 1", with(file, query, 7));
    assertRefused("query begins at byte -4 of 32", with(file, query + 4, -4L));
    assertRefused("query begins at byte 36 of 32", with(file, query + 4, 36L));
    assertRefused("query has a size of -1", with(file, query + 12, -1L));
    assertRefused("file ends inside a case", with(file, query + 12, Long.MAX_VALUE));
    assertRefused("file ends inside a case", Arrays.copyOf(file, file.length - 1));
    List<String> operands =
        NativeAttention.OPERATION.operands(Abi.FORWARD).stream().map(Operand::name).toList();
    int absent = operands.indexOf("out") - 3; // beside query, key and value
    int out = query + 20 + 32 + 2 * (20 + 48) + absent * 4;
    assertRefused("out is of dtype 9, expected 1 to 6", with(file, out + 4, 9));
    assertRefused("out begins at byte 64 of 32", with(file, out + 12, 64L));
    assertRefused("out has a size of -1", with(file, out + 20, -1L));
    assertRefused("file ends inside a case", with(file, out + 20, Long.MAX_VALUE / 4 + 2));
    file[out + 32] = 3;
    assertRefused("out has an element of state 3, expected 0 to 2", file);
  }

  private static int field(byte[] file, String name) {
    return spec(file) + (int) FoveaAttentionSpec.LAYOUT.byteOffset(PathElement.groupElement(name));
  }

  @Test
  void buffersThatTheOperandsDoNotFit() throws Exception {
    byte[] file = forward();
    int query = spec(file) + SPEC_BYTES + 12;
    assertFails("query reaches beyond its 32 bytes", with(file, query + 4, 4L));
    assertFails("query begins at byte 2, which no element does", with(file, query + 4, 2L));
    assertFails("key reaches beyond its 48 bytes", with(file, field(file, "key_length"), 4L));
    assertFails(
        "value reaches beyond its 48 bytes", with(file, field(file, "value_stride") + 8, 5L));
    assertFails(
        "out is of dtype 1, and the plan writes 2", with(file, field(file, "out_dtype"), 2));
    assertFails(
        "query reaches beyond its 32 bytes", with(file, field(file, "query_stride") + 8, -4L));
  }

  /** One, two or three numbers changed, a part cut out or put in. */
  private static byte[] damaged(byte[] file, int heads, Random random) {
    byte[] bytes = file.clone();
    if (random.nextInt(12) == 0) {
      int at = random.nextInt(bytes.length);
      byte[] cut = Arrays.copyOf(bytes, bytes.length - random.nextInt(Math.min(9, bytes.length)));
      System.arraycopy(bytes, Math.max(0, bytes.length - at), cut, 0, Math.min(at, cut.length));
      return cut;
    }
    for (int n = random.nextInt(3); n >= 0; n--) {
      // Mostly where sizes, strides and offsets are.
      int end = random.nextInt(4) == 0 ? bytes.length : heads;
      int at = random.nextInt(end - 8);
      long number =
          random.nextInt(3) == 0
              ? random.nextLong() >> random.nextInt(64)
              : NUMBERS[random.nextInt(NUMBERS.length)];
      switch (random.nextInt(3)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> little(bytes).putInt(at / 4 * 4 + spec(file) % 4, (int) number);
        default -> little(bytes).putLong(at / 8 * 8 + spec(file) % 8, number);
      }
    }
    return bytes;
  }

  @Test
  void someHundredDamagedFilesEndInAVerdict() throws Exception {
    Random random = new Random(4);
    int[] ends = new int[3];
    byte[][] whole = new byte[30][];
    for (int n = 0; n < whole.length; n++) {
      Pass pass = Pass.values()[n % 2];
      whole[n] = file(AttentionCases.OPERATION.generate(pass, 21, n, Limits.SIM));
    }
    for (int n = 0; n < 400; n++) {
      byte[] file = whole[n % whole.length];
      int heads = spec(file) + SPEC_BYTES + 60;
      byte[] bytes = damaged(file, Math.min(heads, file.length), random);
      Ended ended = replay(bytes);
      assertTrue(
          List.of(0, 1, 2).contains(ended.status), n + ": " + ended.status + " " + ended.said);
      ends[ended.status]++;
    }
    assertTrue(ends[0] > 10 && ends[1] > 50 && ends[2] > 20, Arrays.toString(ends));
  }
}
