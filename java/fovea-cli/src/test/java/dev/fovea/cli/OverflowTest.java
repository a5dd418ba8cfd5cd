package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Values that are too large for the type that {@code attend} computes on. */
class OverflowTest {

  private static final long[] SHAPE = {1, 2, 1, 4};
  private static final int ELEMENTS = 8;

  @TempDir private Path folder;

  /** A file of one value, but for two others in front. */
  private List<String> operand(String name, NpyType type, double first, double second, double rest)
      throws IOException {
    double[] values = new double[ELEMENTS];
    Arrays.fill(values, rest);
    values[0] = first;
    values[1] = second;
    Path file = folder.resolve(name + ".npy");
    if (type == NpyType.FLOAT64) {
      MemorySegment data = Arena.ofAuto().allocate(ValueLayout.JAVA_DOUBLE, ELEMENTS);
      MemorySegment.copy(values, 0, data, ValueLayout.JAVA_DOUBLE, 0, ELEMENTS);
      NpyFiles.write(new Npy(type, SHAPE, data), file);
      return List.of("--" + name, file.toString());
    }
    float[] narrow = new float[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
      narrow[i] = (float) values[i];
    }
    return new NpyFiles(folder).operand(name, type, narrow, SHAPE);
  }

  private Cli run(NpyType type, double first, double second, String... options) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend"));
    line.addAll(operand("query", NpyType.FLOAT32, 1, 1, 1));
    line.addAll(operand("key", NpyType.FLOAT32, 1, 1, 1));
    line.addAll(operand("value", type, first, second, 1));
    line.addAll(List.of("--out", folder.resolve("out.npy").toString()));
    line.addAll(List.of(options));
    return Cli.run(line.toArray(String[]::new));
  }

  private void refused(String count, NpyType type, double first, double second, String... options)
      throws IOException {
    Cli cli = run(type, first, second, options);
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String start = "--value " + folder.resolve("value.npy") + " has " + count;
    assertTrue(cli.err().startsWith(start), cli.err());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
    assertFalse(Files.exists(folder.resolve("out.npy")));
  }

  @Test
  void finiteValuesThatBecomeInfiniteAreCounted() throws IOException {
    refused(
        "1 finite values, of 8, that are infinite as float16, which --dtype asks for: up to"
            + " 1.0000e+06, and it ends at 65504",
        NpyType.FLOAT32,
        -1e6,
        1,
        "--dtype",
        "float16");
    refused("2 finite values", NpyType.BFLOAT16, 1e6, -1e9, "--dtype", "float16");
    refused("2 finite values", NpyType.FLOAT64, 1e6, -1e300, "--dtype", "float16");
    refused("1 finite values", NpyType.FLOAT64, 1e6, -1e39);
    refused("1 finite values", NpyType.FLOAT64, 1e6, -1e39, "--dtype", "bfloat16");
    refused("1 finite values", NpyType.FLOAT32, 1, Float.MAX_VALUE, "--dtype", "bfloat16");
  }

  @Test
  void whatRoundsToTheLargestNumberPasses() throws IOException {
    refused("1 finite values", NpyType.FLOAT32, 65520, 65519, "--dtype", "float16");
    // By way of float32, where it is 65520.
    refused("1 finite values", NpyType.FLOAT64, 65519.9999, 1, "--dtype", "float16");
    assertEquals(0, run(NpyType.FLOAT32, 65519, -65519, "--dtype", "float16").code());
    assertEquals(0, run(NpyType.FLOAT64, 65519, -65519, "--dtype", "float16").code());
    assertEquals(0, run(NpyType.FLOAT32, 1e38, -1e38, "--dtype", "bfloat16").code());
    assertEquals(0, run(NpyType.FLOAT64, 3e38, -3e38).code());
  }

  @Test
  void infinitiesOfTheFileAreItsOwn() throws IOException {
    double infinity = Double.POSITIVE_INFINITY;
    for (NpyType type : List.of(NpyType.FLOAT32, NpyType.FLOAT64)) {
      Cli cli = run(type, infinity, Double.NaN, "--dtype", "float16");
      assertEquals(0, cli.code(), cli.err());
    }
  }

  @Test
  void operandsOfFloat32AloneAreCountedToo() throws IOException {
    String weight = "--weight " + folder.resolve("weight.npy");
    MemorySegment data = Arena.ofAuto().allocate(ValueLayout.JAVA_DOUBLE, 4);
    data.setAtIndex(ValueLayout.JAVA_DOUBLE, 3, 1e39);
    Path file = folder.resolve("weight.npy");
    NpyFiles.write(new Npy(NpyType.FLOAT64, new long[] {1, 4}, data), file);
    Cli cli = run(NpyType.FLOAT32, 1, 1, "--op", "additive", "--weight", file.toString());
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().startsWith(weight + " has 1 finite values, of 4, that are"), cli.err());
    assertFalse(cli.err().contains("--dtype"), cli.err());
  }

  @Test
  void infiniteResultsInFloat16AreSaid() throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--dtype", "fp16"));
    line.addAll(operand("query", NpyType.FLOAT32, 1, 1, 1));
    line.addAll(operand("key", NpyType.FLOAT32, 1, 1, 1));
    line.addAll(operand("value", NpyType.FLOAT32, 6e4, -6e4, 1));
    line.addAll(operand("dout", NpyType.FLOAT32, 6e4, -6e4, 1));
    line.addAll(List.of("--out", folder.resolve("out.npy").toString()));
    line.addAll(List.of("--dkey", folder.resolve("dkey.npy").toString()));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.err().startsWith("Warning: 8 of 8 values of dkey are infinite"), cli.err());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
    line.set(line.indexOf("fp16"), "bf16");
    assertEquals("", Cli.run(line.toArray(String[]::new)).err());
  }
}
