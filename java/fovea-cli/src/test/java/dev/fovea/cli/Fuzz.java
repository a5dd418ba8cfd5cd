package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Random cases of a test, each a pure function of a seed and its number. {@code
 * -Dfovea.fuzz.cases=100000} runs more of them, {@code -Dfovea.fuzz.seed=S} others, and {@code
 * -Dfovea.fuzz.case=I} one alone.
 */
final class Fuzz {

  private static final int CASES = 400;

  /** What no sentence for a user contains. */
  private static final String INTERNAL =
      "(?s).*(\\tat |[a-z]Exception|[a-z]Error\\b|\\bjava\\.|dev\\.fovea|[a-z]_dim\\b|\\w_heads\\b"
          + "|\\w_lengths\\b|fault of Fovea).*";

  /** One case: fails by throwing. */
  @FunctionalInterface
  interface Case {
    /** Returns whether the line was done; if not, it was refused. */
    boolean run(Random random) throws IOException;
  }

  private Fuzz() {}

  /**
   * Runs the cases of {@code test}. {@code target/<test>.txt} names the case that runs, which a
   * crash leaves there, and in the end how many lines were done and refused.
   */
  static void run(Class<?> test, Case one) throws IOException {
    long seed = Long.getLong("fovea.fuzz.seed", 1);
    int only = Integer.getInteger("fovea.fuzz.case", -1);
    int first = only < 0 ? 0 : only;
    int last = only < 0 ? Integer.getInteger("fovea.fuzz.cases", CASES) : only + 1;
    int done = 0;
    Path running = Path.of("target", test.getSimpleName() + ".txt");
    for (int i = first; i < last; i++) {
      String repeat =
          "mvn -pl java/fovea-cli -am test -Dsurefire.failIfNoSpecifiedTests=false -Dtest=%s"
                  .formatted(test.getSimpleName())
              + " -Dfovea.fuzz.seed=%d -Dfovea.fuzz.case=%d".formatted(seed, i);
      Files.writeString(running, repeat + "\n");
      try {
        done += one.run(new Random(seed * 0x9E3779B97F4A7C15L + i)) ? 1 : 0;
      } catch (Throwable failure) {
        throw new AssertionError(repeat + "\n" + failure, failure);
      }
    }
    int cases = last - first;
    String figures =
        "%d cases of seed %d: %d done, %d refused".formatted(cases, seed, done, cases - done);
    Files.writeString(running, figures + "\n");
    boolean both = Math.min(done, cases - done) >= cases / 10;
    assertTrue(cases < CASES || both, figures + ": too few of one kind to mean much");
  }

  /** That a line was refused: by one sentence in the user's words, and by nothing else. */
  static void assertRefused(Cli cli) {
    assertEquals(Main.USAGE, cli.code(), cli.out() + cli.err());
    assertEquals("", cli.out());
    String text = cli.err();
    assertTrue(text.endsWith(System.lineSeparator()), text);
    assertEquals(1, text.strip().lines().count(), text);
    assertFalse(text.matches(INTERNAL), text);
  }

  static <T> T pick(Random random, List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  /** Names and contents of all files in {@code folder}. */
  static Map<String, List<Byte>> contents(Path folder) throws IOException {
    Map<String, List<Byte>> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        List<Byte> bytes = new ArrayList<>();
        for (byte b : Files.readAllBytes(file)) {
          bytes.add(b);
        }
        contents.put(file.getFileName().toString(), bytes);
      }
    }
    return contents;
  }
}
