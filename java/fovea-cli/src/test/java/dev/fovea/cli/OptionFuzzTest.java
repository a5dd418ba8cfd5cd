package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random lines of options: a line is done and everything that it asks for is written, or it is
 * refused and nothing is.
 */
class OptionFuzzTest {

  private static final List<String> NUMBERS =
      List.of(
          "0",
          "1",
          "2",
          "-1",
          "0.25",
          "1e-3",
          "-0",
          "1e39",
          "1e400",
          "nan",
          "NaN",
          "inf",
          "-Infinity",
          "2147483647",
          "2147483648",
          "9223372036854775807",
          "9223372036854775808",
          "-9223372036854775808",
          "0x10",
          "1f",
          "1,5",
          "",
          " 1",
          "\u0663",
          "many");

  /** Values of options of {@code attend} that name no file. */
  private static final Map<String, List<String>> VALUES =
      Map.of(
          "--scale",
          NUMBERS,
          "--softcap",
          NUMBERS,
          "--dropout",
          NUMBERS,
          "--seed",
          NUMBERS,
          "--offset",
          NUMBERS,
          "--threads",
          NUMBERS,
          "--window",
          List.of(
              "1,0",
              "-1,-1",
              "3,-7",
              "3",
              "1,2,3",
              ",",
              "",
              "9223372036854775807,0",
              "1, 2",
              "a,b"),
          "--dtype",
          List.of("float32", "FP16", "bf16", "Float16", "int8", "", "float64", "fp8"),
          "--backend",
          List.of("cpu", "cpu:portable", "CPU", ":", "::", "cpu:", "", "tpu", "cuda:0", "sim:sm_1"),
          "--op",
          List.of("attention", "additive", "channel", "spatial", "gated", "", "ATTENTION"));

  private static final List<String> INPUTS =
      List.of(
          "--bias",
          "--alibi-slopes",
          "--sinks",
          "--weight",
          "--query-lengths",
          "--key-lengths",
          "--cu-seqlens-q",
          "--cu-seqlens-k",
          "--dout");
  private static final List<String> RESULTS =
      List.of(
          "--lse",
          "--weights",
          "--dquery",
          "--dkey",
          "--dvalue",
          "--dbias",
          "--dsinks",
          "--dweight");
  private static final List<String> FLAGS =
      List.of(
          "--causal",
          "--causal=top-left",
          "--causal=middle",
          "--deterministic",
          "--allow-tf32",
          "--json",
          "--help",
          "--version",
          "--nonsense",
          "-",
          "--",
          "-x",
          "more",
          "@file",
          "\0",
          "--causal=",
          "--json=maybe",
          "--out=",
          "=",
          "--quer",
          "\u00e4");

  /** Names for results too: none of a file that is there, but for those that are always read. */
  private static final List<String> FILES =
      List.of(
          "q.npy",
          "k.npy",
          "no.npy",
          "folder",
          "folder/no.npy",
          "no/no.npy",
          "link.npy",
          "circle.npy",
          "",
          ".",
          "/dev/null",
          "/dev/full",
          "/proc/no.npy",
          "q.npy/no.npy",
          "a\0b",
          "\u00fc.npy");

  private static final List<String> OTHER_INPUTS =
      List.of(
          "bias.npy",
          "slopes.npy",
          "weight.npy",
          "offsets.npy",
          "lengths.npy",
          "text.npy",
          "v.npy",
          "g.npy");

  /** Lines that are wrong whatever comes with them. */
  private static final List<List<String>> WRONG =
      List.of(
          List.of("bench", "--heads", "0"),
          List.of("bench", "--heads", "7", "--kv-heads", "3"),
          List.of("bench", "--query-length", "2147483647"),
          List.of("bench", "--head-dim", "513", "--query-length", "2"),
          List.of("bench", "--batch", "2147483647"),
          List.of("bench", "--backend", ":"),
          List.of("bench", "--rounds", "-1"),
          List.of("bench", "--threads", "1000"),
          List.of("check", "--cases", "-1"),
          List.of("check", "--case", "9223372036854775807"),
          List.of("check", "--timeout", "0"),
          List.of("check", "--threads", "2147483647"),
          List.of("check", "--op", "sideways"),
          List.of("check", "--pass", "sideways"),
          List.of("check", "--dump", "/proc/no"),
          List.of("demo", "--top", "0"),
          List.of("demo", "--steps", "3"),
          List.of("demo", "--out", "e.npy"),
          List.of("demo", "--heatmap", "x.jpg", "why"),
          List.of("demo", "--text", "/proc/no"),
          List.of("demo", "--train", "--steps", "0"),
          List.of("demo", "--train", "--plot", "/proc/no.png"),
          List.of("demo", "--translate", "--steps", "0"),
          List.of("demo", "--translate", "--dictionary", "/proc/no"),
          List.of("demo", "--generate", "--tokens", "0"),
          List.of("demo", "--generate", "--text", "/proc/no"),
          List.of("demo", "--layer", "1"),
          List.of("info", "more"),
          List.of("info", "--nonsense"),
          List.of("nonsense"),
          List.of());

  private static final List<String> OTHER_NUMBERS =
      List.of("--seed", "--cases", "--rounds", "--threads", "--heads", "--top", "--timeout");

  @TempDir private Path folder;

  @Test
  void aLineIsDoneOrRefused() throws IOException {
    NpyFiles files = new NpyFiles(folder);
    for (String name : List.of("q", "k", "v", "g")) {
      files.operand(name, NpyType.FLOAT32, new float[24], 1, 3, 2, 4);
    }
    files.operand("bias", NpyType.FLOAT32, new float[18], 1, 2, 3, 3);
    files.operand("slopes", NpyType.FLOAT64, new float[2], 2);
    files.operand("weight", NpyType.FLOAT64, new float[8], 2, 4);
    files.operand("offsets", NpyType.INT64, new float[] {0, 1, 1, 3}, 4);
    files.operand("lengths", NpyType.INT64, new float[] {2}, 1);
    Files.writeString(folder.resolve("text.npy"), "text");
    Files.createDirectory(folder.resolve("folder"));
    Files.createSymbolicLink(folder.resolve("link.npy"), Path.of("q.npy"));
    Files.createSymbolicLink(folder.resolve("circle.npy"), Path.of("circle.npy"));
    Fuzz.run(
        OptionFuzzTest.class, random -> random.nextInt(4) == 0 ? wrong(random) : attend(random));
  }

  private String path(String name) {
    return name.isEmpty() || name.startsWith("/") ? name : folder + "/" + name;
  }

  private boolean wrong(Random random) throws IOException {
    List<String> line = new ArrayList<>(Fuzz.pick(random, WRONG));
    boolean attendToo = line.isEmpty();
    while (random.nextBoolean()) {
      line.add(random.nextInt(3) == 0 ? "--json" : Fuzz.pick(random, OTHER_NUMBERS));
      if (!line.getLast().equals("--json")) {
        line.add(Fuzz.pick(random, NUMBERS));
      }
    }
    if (attendToo) {
      line.addFirst("attend");
    }
    Map<String, String> before = state();
    Fuzz.assertRefused(run(line));
    assertEquals(before, state());
    return false;
  }

  private static Cli run(List<String> line) {
    try {
      return Cli.run(line.toArray(String[]::new));
    } catch (Throwable escaped) {
      throw new AssertionError("thrown by " + line, escaped);
    }
  }

  private boolean attend(Random random) throws IOException {
    List<List<String>> options = new ArrayList<>();
    options.add(List.of("--query", path("q.npy")));
    options.add(List.of("--key", path("k.npy")));
    options.add(List.of("--value", path("v.npy")));
    if (random.nextInt(3) == 0) {
      options.add(List.of("--op", "additive"));
      options.add(List.of("--weight", path("weight.npy")));
    }
    result(options, "--out", random);
    while (random.nextInt(4) > 0) {
      switch (random.nextInt(5)) {
        case 0 -> result(options, Fuzz.pick(random, RESULTS), random);
        case 1 -> {
          String option = Fuzz.pick(random, INPUTS);
          options.add(List.of(option, path(input(option, random))));
        }
        case 2 -> options.add(List.of(Fuzz.pick(random, FLAGS)));
        default -> {
          String option = Fuzz.pick(random, VALUES.keySet().stream().sorted().toList());
          options.add(List.of(option, Fuzz.pick(random, VALUES.get(option))));
        }
      }
    }
    if (random.nextInt(8) == 0) {
      options.remove(random.nextInt(options.size()));
    }
    Collections.shuffle(options, random);
    List<String> line = new ArrayList<>(List.of("attend"));
    options.forEach(option -> line.addAll(joined(option, random)));
    if (random.nextInt(16) == 0) {
      line.remove(random.nextInt(line.size()));
    }
    return check(line);
  }

  private void result(List<List<String>> options, String option, Random random) {
    boolean usual = random.nextInt(4) > 0;
    String file = path(usual ? option.substring(2) + ".npy" : Fuzz.pick(random, FILES));
    options.add(List.of(option, file));
  }

  private static String input(String option, Random random) {
    if (random.nextInt(4) == 0) {
      return Fuzz.pick(random, random.nextBoolean() ? FILES : OTHER_INPUTS);
    }
    return switch (option) {
      case "--bias" -> "bias.npy";
      case "--alibi-slopes", "--sinks" -> "slopes.npy";
      case "--weight" -> "weight.npy";
      case "--dout" -> "g.npy";
      case "--cu-seqlens-q", "--cu-seqlens-k" -> "offsets.npy";
      default -> "lengths.npy";
    };
  }

  private static List<String> joined(List<String> option, Random random) {
    boolean join = option.size() == 2 && random.nextInt(4) == 0;
    return join ? List.of(option.get(0) + "=" + option.get(1)) : option;
  }

  /** The files that a line that is done asks for. */
  private static List<String> results(List<String> line) {
    List<String> results = new ArrayList<>();
    for (int i = 0; i < line.size(); i++) {
      String[] parts = line.get(i).split("=", 2);
      if (parts[0].equals("--out") || RESULTS.contains(parts[0])) {
        results.add(parts.length == 2 ? parts[1] : line.get(i + 1));
      }
    }
    return results;
  }

  /** Names in the folder, with what the inputs hold. */
  private Map<String, String> state() throws IOException {
    Map<String, String> state = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.toList()) {
        boolean file = Files.isRegularFile(path);
        byte[] bytes = file ? Files.readAllBytes(path) : new byte[0];
        state.put(path.toString(), bytes.length + " " + Arrays.hashCode(bytes));
      }
    }
    return state;
  }

  private boolean check(List<String> line) throws IOException {
    Map<String, String> before = state();
    Cli cli = run(line);
    Map<String, String> after = state();
    Set<String> written = new HashSet<>(after.keySet());
    written.removeAll(before.keySet());
    if (cli.code() != 0) {
      Fuzz.assertRefused(cli);
      assertEquals(before, after, line.toString());
      return false;
    }
    assertFalse(cli.out().isEmpty(), line.toString());
    boolean answered = cli.out().startsWith("Usage: ") || cli.out().startsWith("fovea ");
    for (String file : answered ? List.<String>of() : results(line)) {
      if (written.remove(file)) {
        assertTrue(Npy.read(Path.of(file), Arena.ofAuto()).elements() > 0, file);
        Files.delete(Path.of(file));
      } else {
        assertEquals("/dev/null", file, line.toString());
      }
    }
    assertEquals(Set.of(), written, line.toString());
    before.forEach((path, content) -> assertEquals(content, after.get(path), line.toString()));
    if (line.contains("--json") && !answered) {
      cli.json();
    }
    return true;
  }
}
