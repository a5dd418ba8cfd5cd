package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code attend} does to files: to those it writes, and to all others nothing. */
class AttendFilesTest {

  private static final long[] SHAPE = {1, 3, 2, 4};
  private static final int ELEMENTS = 24;

  @TempDir private Path folder;

  private final List<String> line = new ArrayList<>();

  @BeforeEach
  void writeInputs() throws IOException {
    NpyFiles files = new NpyFiles(folder);
    line.add("attend");
    for (String name : List.of("query", "key", "value", "dout")) {
      float[] values = new float[ELEMENTS];
      for (int i = 0; i < ELEMENTS; i++) {
        values[i] = (float) Math.sin(i + name.length());
      }
      List<String> option = files.operand(name, NpyType.FLOAT32, values, SHAPE);
      if (!name.equals("dout")) {
        line.addAll(option);
      }
    }
    Files.createDirectory(folder.resolve("folder"));
    Files.writeString(folder.resolve("old.npy"), "old");
    Files.createSymbolicLink(folder.resolve("link.npy"), Path.of("query.npy"));
    Files.createLink(folder.resolve("hard.npy"), folder.resolve("query.npy"));
    Files.createSymbolicLink(folder.resolve("dangling.npy"), Path.of("missing.npy"));
    Files.createSymbolicLink(folder.resolve("circle.npy"), Path.of("circle.npy"));
  }

  private Path path(String name) {
    return name.startsWith("/") ? Path.of(name) : Path.of(folder + "/" + name);
  }

  /** Options and names in turn. */
  private Cli run(String... files) {
    List<String> all = new ArrayList<>(line);
    for (int i = 0; i < files.length; i += 2) {
      all.add(files[i]);
      all.add(path(files[i + 1]).toString());
    }
    return Cli.run(all.toArray(String[]::new));
  }

  /** Names and contents, with those of links. */
  private Map<String, String> contents() throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.toList()) {
        boolean readable = Files.isRegularFile(path);
        contents.put(
            folder.relativize(path).toString(),
            readable ? Files.readString(path, java.nio.charset.StandardCharsets.ISO_8859_1) : "");
      }
    }
    return contents;
  }

  private void refusedAndNothingChanged(String message, String... files) throws IOException {
    Map<String, String> before = contents();
    Cli cli = run(files);
    assertEquals(Main.USAGE, cli.code(), cli.out() + cli.err());
    assertEquals("", cli.out());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
    assertTrue(cli.err().contains(message), cli.err());
    assertEquals(before, contents());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"query.npy", "./query.npy", "folder/../query.npy", "link.npy", "hard.npy"})
  void anInputIsNoOutput(String name) throws IOException {
    refusedAndNothingChanged("is the file that --query reads", "--out", name);
    refusedAndNothingChanged(
        "is the file that --query reads", "--out", "out.npy", "--weights", name);
  }

  @Test
  void theGradientThatIsReadIsNotWritten() throws IOException {
    String reads = "is the file that --dout reads";
    refusedAndNothingChanged(
        reads, "--out", "out.npy", "--dout", "dout.npy", "--dquery", "dout.npy");
    refusedAndNothingChanged(
        reads, "--out", "dout.npy", "--dout", "dout.npy", "--dquery", "dquery.npy");
  }

  @Test
  void whatOneOperationHasAloneIsKeptApartToo() throws IOException {
    line.addAll(new NpyFiles(folder).operand("weight", NpyType.FLOAT32, new float[8], 2, 4));
    line.addAll(List.of("--op", "additive"));
    refusedAndNothingChanged("is the file that --weight reads", "--out", "weight.npy");
    refusedAndNothingChanged(
        "--dweight " + path("a.npy") + " is the file that --dquery writes",
        "--out",
        "out.npy",
        "--dout",
        "dout.npy",
        "--dquery",
        "a.npy",
        "--dweight",
        "a.npy");
    Cli cli =
        run("--out", "old.npy", "--dout", "dout.npy", "--dweight", "a.npy", "--weights", "b.npy");
    assertEquals(0, cli.code(), cli.err());
    NpyFiles files = new NpyFiles(folder);
    assertArrayEquals(SHAPE, files.read("old").shape());
    assertArrayEquals(new long[] {2, 4}, files.read("a").shape());
    assertArrayEquals(new long[] {1, 2, 3, 3}, files.read("b").shape());
  }

  @Test
  void theLargestWeightsAndTheirKeys() throws IOException {
    refusedAndNothingChanged(
        "is given without --top-weights", "--out", "out.npy", "--top-keys", "k.npy");
    String[] files = {
      "--out", "out.npy", "--weights", "all.npy", "--top-weights", "w.npy", "--top-keys", "k.npy"
    };
    line.addAll(List.of("--top-count", "129"));
    refusedAndNothingChanged("expected 0 to 128", files);
    line.set(line.size() - 1, "2");
    Cli cli = run(files);
    assertEquals(0, cli.code(), cli.err());
    NpyFiles written = new NpyFiles(folder);
    Npy keys = written.read("k");
    assertEquals(NpyType.INT32, keys.type());
    assertArrayEquals(new long[] {1, 2, 3, 2}, keys.shape());
    assertArrayEquals(keys.shape(), written.read("w").shape());
    Npy weights = written.read("all");
    for (int i = 0; i < keys.elements(); i++) {
      int key = keys.data().getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i);
      double listed = written.read("w").value(i);
      assertEquals(weights.value(i / 2 * 3 + key), listed);
      assertTrue(i % 2 == 0 || listed <= written.read("w").value(i - 1));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "a.npy, a.npy",
    "a.npy, ./a.npy",
    "a.npy, folder/../a.npy",
    "old.npy, old.npy",
    "missing.npy, dangling.npy"
  })
  void twoResultsAreTwoFiles(String first, String second) throws IOException {
    refusedAndNothingChanged("is the file that --out writes", "--out", first, "--lse", second);
    refusedAndNothingChanged(
        "is the file that --out writes", "--out", first, "--dout", "dout.npy", "--dvalue", second);
  }

  @ParameterizedTest
  @CsvSource({
    "nowhere/a.npy, there is no such file or folder",
    "query.npy/a.npy, not a",
    "folder, is a folder",
    "., is a folder",
    "circle.npy, circle",
    "/proc/a.npy, cannot be written",
    "/dev/full, no space left"
  })
  void aResultThatCannotBeWrittenLeavesAllAsItWas(String name, String reason) throws IOException {
    refusedAndNothingChanged(reason, "--out", name);
    refusedAndNothingChanged(reason, "--out", "old.npy", "--lse", name);
    refusedAndNothingChanged(
        reason, "--out", "old.npy", "--dout", "dout.npy", "--dquery", "a.npy", "--dkey", name);
  }

  @Test
  void aNameThatIsTooLongIsRefused() throws IOException {
    String name = "x".repeat(300);
    refusedAndNothingChanged("--out " + path(name) + " cannot be written: ", "--out", name);
  }

  @Test
  void namesAreRefusedBeforeTheWorkBegins() {
    // The query would be refused too, but later.
    line.set(line.indexOf("--query") + 1, folder.resolve("old.npy").toString());
    assertTrue(run("--out", "nowhere/a.npy").err().startsWith("--out "));
    assertTrue(run("--out", "a.npy").err().startsWith("--query "));
  }

  @Test
  void aRefusedCallLeavesAllAsItWas() throws IOException {
    line.add("--bias");
    line.add(folder.resolve("value.npy").toString());
    refusedAndNothingChanged("--bias ", "--out", "old.npy", "--lse", "a.npy");
  }

  @Test
  void oldFilesAndTheTargetsOfLinksAreReplaced() throws IOException {
    Map<String, String> before = contents();
    Cli cli = run("--out", "old.npy", "--lse", "dangling.npy");
    assertEquals(0, cli.code(), cli.err());
    Map<String, String> after = contents();
    NpyFiles files = new NpyFiles(folder);
    assertArrayEquals(SHAPE, files.read("old").shape());
    assertArrayEquals(new long[] {1, 2, 3}, files.read("missing").shape());
    assertTrue(Files.isSymbolicLink(folder.resolve("dangling.npy")));
    after.keySet().removeAll(List.of("old.npy", "missing.npy", "dangling.npy"));
    before.keySet().removeAll(List.of("old.npy", "dangling.npy"));
    assertEquals(before, after);
  }

  @Test
  void oneInputMayBeReadTwiceAndResultsMayBeDropped() {
    for (String option : List.of("--key", "--value")) {
      line.set(line.indexOf(option) + 1, folder.resolve("query.npy").toString());
    }
    Cli cli = run("--out", "/dev/null", "--lse", "/dev/null");
    assertEquals(0, cli.code(), cli.err());
    assertFalse(Files.isRegularFile(Path.of("/dev/null")));
  }
}
