package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.MutatedNpy.Content;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files that something has happened to, given to {@code attend}: the result is right for what such
 * a file says, or the file is refused; nothing else is written, and no input changes.
 */
class NpyFuzzTest {

  private static final long[] ROWS = {1, 3, 2, 4};

  /** Shapes of all operands. */
  private static final Map<String, long[]> OPERANDS =
      Map.of(
          "query", ROWS,
          "key", ROWS,
          "value", ROWS,
          "dout", ROWS,
          "bias", new long[] {1, 2, 3, 3},
          "alibi-slopes", new long[] {2},
          "sinks", new long[] {2},
          "query-lengths", new long[] {1},
          "key-lengths", new long[] {1});

  private static final List<NpyType> FLOATS =
      List.of(NpyType.FLOAT32, NpyType.FLOAT32, NpyType.FLOAT64, NpyType.FLOAT16, NpyType.BFLOAT16);

  /** Above this, a rounding of a score is seen in the result. */
  private static final double LARGEST_SCORE = 40;

  @TempDir private Path folder;

  private NpyFiles files;
  private final Map<String, Content> contents = new TreeMap<>();

  @Test
  void aMutatedFileIsReadRightOrRefused() throws IOException {
    files = new NpyFiles(folder);
    Fuzz.run(NpyFuzzTest.class, this::one);
  }

  private boolean one(Random random) throws IOException {
    NpyType type = Fuzz.pick(random, FLOATS);
    List<String> given = new ArrayList<>(List.of("query", "key", "value"));
    for (String name :
        List.of("dout", "bias", "alibi-slopes", "sinks", "query-lengths", "key-lengths")) {
      if (random.nextInt(4) == 0) {
        given.add(name);
      }
    }
    List<String> line = new ArrayList<>(List.of("attend"));
    contents.clear();
    for (String name : given) {
      line.addAll(write(name, type, random));
    }
    String mutated = Fuzz.pick(random, given);
    Content before = contents.get(mutated);
    byte[] bytes = new MutatedNpy(random, Files.readAllBytes(files.file(mutated))).mutate();
    Files.write(files.file(mutated), bytes);
    contents.put(mutated, MutatedNpy.read(bytes)); // null: must be refused
    List<String> wanted = new ArrayList<>(List.of("out"));
    wanted.addAll(random.nextBoolean() ? List.of("lse", "weights") : List.of());
    wanted.addAll(given.contains("dout") ? List.of("dvalue") : List.of());
    wanted.forEach(name -> line.addAll(files.result(name)));
    boolean causal = random.nextBoolean();
    line.addAll(causal ? List.of("--causal") : List.of());

    Map<String, List<Byte>> inputs = Fuzz.contents(folder);
    Cli cli = Cli.run(line.toArray(String[]::new));
    Map<String, List<Byte>> after = Fuzz.contents(folder);
    for (String name : wanted) {
      boolean written = after.remove(files.file(name).getFileName().toString()) != null;
      assertEquals(cli.code() == 0, written, name + ": " + cli.err());
    }
    assertEquals(inputs, after, "other files");
    if (cli.code() == 0) {
      assertNotNull(contents.get(mutated), "it is not what NumPy writes");
      check(causal, given.contains("dout"));
    } else {
      Fuzz.assertRefused(cli);
      boolean named = cli.err().contains("--" + mutated + " ");
      assertTrue(named || contents.get(mutated) != null, cli.err());
      assertTrue(mayBeRefused(before, contents.get(mutated)), cli.err());
    }
    for (String name : wanted) {
      Files.deleteIfExists(files.file(name));
    }
    for (String name : given) {
      Files.delete(files.file(name));
    }
    return cli.code() == 0;
  }

  private List<String> write(String name, NpyType floats, Random random) throws IOException {
    boolean lengths = name.endsWith("-lengths");
    NpyType type = lengths ? random.nextBoolean() ? NpyType.INT32 : NpyType.INT64 : floats;
    if (List.of("alibi-slopes", "sinks").contains(name) && type == NpyType.BFLOAT16) {
      type = NpyType.FLOAT32;
    }
    long[] shape = OPERANDS.get(name);
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = lengths ? random.nextInt(4) : random.nextInt(-128, 129) / 64f;
    }
    List<String> option = files.operand(name, type, values, shape);
    contents.put(name, MutatedNpy.read(Files.readAllBytes(files.file(name))));
    return option;
  }

  /** False for a file that still is of its type and shape, except where its values matter. */
  private static boolean mayBeRefused(Content before, Content now) {
    boolean valuesMatter = before.type() == NpyType.FLOAT64 || isInteger(before.type());
    return now == null
        || valuesMatter
        || now.type() != before.type()
        || !Arrays.equals(now.shape(), before.shape());
  }

  private static boolean isInteger(NpyType type) {
    return type == NpyType.INT32 || type == NpyType.INT64;
  }

  /** Compares {@code <dout, out>}, and {@code <value, dvalue>}, with attention in double. */
  private void check(boolean causal, boolean backward) throws IOException {
    PlainAttention plain = plain(causal);
    Npy out = files.read("out");
    long[] query = contents.get("query").shape();
    long[] value = contents.get("value").shape();
    long[] shape = {query[0], query[1], query[2], value[3]};
    assertArrayEquals(shape, out.shape());
    double sum = 0;
    double most = 0;
    double scale = 0;
    for (double v : plain.value) {
      most = Math.max(most, Math.abs(v));
    }
    for (int i = 0; i < out.elements(); i++) {
      sum += plain.dout[i] * out.value(i);
      scale += Math.abs(plain.dout[i]) * most;
    }
    double loss = plain.loss();
    boolean comparable = Double.isFinite(scale) && largestScore(plain) < LARGEST_SCORE;
    if (comparable) {
      double unit = unit(contents.get("query").type());
      assertEquals(loss, sum, 1e-30 + 16 * unit * scale, "out");
      if (backward) {
        double product = 0;
        Npy dvalue = files.read("dvalue");
        assertArrayEquals(value, dvalue.shape());
        for (int i = 0; i < dvalue.elements(); i++) {
          product += plain.value[i] * dvalue.value(i);
        }
        if (Double.isFinite(product)) { // gradients in float16 may end
          assertEquals(loss, product, 1e-30 + 64 * unit * scale, "dvalue");
        }
      }
    }
  }

  private PlainAttention plain(boolean causal) {
    long[] q = contents.get("query").shape();
    long[] k = contents.get("key").shape();
    long[] v = contents.get("value").shape();
    PlainAttention plain =
        new PlainAttention(
            (int) q[0], (int) q[1], (int) k[1], (int) q[2], (int) k[2], (int) q[3], (int) v[3]);
    copy("query", plain.query);
    copy("key", plain.key);
    copy("value", plain.value);
    copy("dout", plain.dout);
    plain.causal = causal;
    if (contents.containsKey("bias")) {
      plain.bias = contents.get("bias").values();
      plain.biasShape = contents.get("bias").shape();
    }
    if (contents.containsKey("alibi-slopes")) {
      plain.slopes = contents.get("alibi-slopes").values();
      plain.slopesShape = contents.get("alibi-slopes").shape();
    }
    if (contents.containsKey("sinks")) {
      plain.sinks = contents.get("sinks").values();
    }
    plain.queryLengths = lengths("query-lengths");
    plain.keyLengths = lengths("key-lengths");
    return plain;
  }

  private void copy(String name, double[] to) {
    if (contents.containsKey(name)) {
      System.arraycopy(contents.get(name).values(), 0, to, 0, to.length);
    }
  }

  private int[] lengths(String name) {
    Content content = contents.get(name);
    return content == null
        ? null
        : Arrays.stream(content.values()).mapToInt(d -> (int) d).toArray();
  }

  private static double largestScore(PlainAttention plain) {
    double score = most(plain.query) * most(plain.key) * plain.dim * plain.scale;
    score += plain.bias == null ? 0 : most(plain.bias);
    score += plain.sinks == null ? 0 : most(plain.sinks);
    score += plain.slopes == null ? 0 : most(plain.slopes) * Math.max(plain.queries, plain.keys);
    return Double.isNaN(score) ? Double.POSITIVE_INFINITY : score;
  }

  private static double most(double[] values) {
    return Arrays.stream(values).map(Math::abs).reduce(0, Math::max); // of which NaN is the largest
  }

  /** Half a unit in the last place of what is computed in that type; of float32 with a reserve. */
  private static double unit(NpyType type) {
    return switch (type) {
      case FLOAT16 -> 0x1p-11;
      case BFLOAT16 -> 0x1p-8;
      default -> 0x1p-20;
    };
  }
}
