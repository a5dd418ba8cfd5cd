package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** By a clock that the test sets. */
class ProgressBarTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
  private double seconds = 1000;

  private ProgressBar bar(String what, long total, boolean isTerminal) {
    return new ProgressBar(out, what, total, isTerminal, () -> (long) (seconds * 1e9));
  }

  private String said() {
    String said = bytes.toString(StandardCharsets.UTF_8);
    bytes.reset();
    return said.replace(System.lineSeparator(), "\n");
  }

  @Test
  void shortWorkShowsNoBar() {
    try (ProgressBar bar = bar("texts", 10, true)) {
      bar.update(5);
      seconds += 0.99;
      bar.update(10);
    }
    assertEquals("", said());
  }

  @Test
  void isDrawnOverItselfOnATerminal() {
    try (ProgressBar bar = bar("texts", 40, true)) {
      seconds += 2;
      bar.update(10);
      assertEquals(
          "\r[#######.......................]  25%  10 of 40 texts, 5.00/s, 6 s left\033[K",
          said());
      seconds += 0.05; // too soon
      bar.update(20);
      assertEquals("", said());
      bar.update(40); // the last is always drawn
      assertEquals(
          "\r[##############################] 100%  40 of 40 texts, 20/s, 0 s left\033[K", said());
    }
    assertEquals("\n", said());
  }

  @Test
  void isAFewLinesElsewhere() {
    try (ProgressBar bar = bar("texts", 100_000, false)) {
      seconds += 4.9;
      bar.update(1);
      assertEquals("", said());
      seconds += 0.1;
      bar.update(100);
      assertEquals(
          "[..............................]   0%  100 of 100000 texts, 20/s, 83 min left\n",
          said());
      seconds += 4.9;
      bar.update(200);
      assertEquals("", said());
      seconds += 10.1;
      bar.update(200);
      assertEquals(
          "[..............................]   0%  200 of 100000 texts, 10/s, 2 h 46 min left\n",
          said());
    }
    assertEquals("", said());
  }

  /** Of a run that goes on from a checkpoint, rates are of the steps that were taken now. */
  @Test
  void watchesARun() {
    try (ProgressBar bar = bar("steps", 800, true)) {
      seconds += 0.5;
      bar.metrics(401, Map.of("loss", 3.0));
      assertEquals("", said());
      seconds += 3.5;
      bar.metrics(408, Map.of("loss", 1.23456));
      assertEquals(
          "\r[###############...............]  51%  408 of 800 steps, 2.00/s, 3 min left, loss"
              + " 1.235\033[K",
          said());
      seconds += 1;
      bar.metrics(800, Map.of());
      assertEquals(
          "\r[##############################] 100%  800 of 800 steps, 80/s, 0 s left\033[K",
          said());
    }
  }

  @Test
  void nothingToDo() {
    try (ProgressBar bar = bar("texts", 0, false)) {
      seconds += 6;
      bar.update(0);
    }
    assertEquals("[..............................]   0%  0 of 0 texts, 0.00/s, 0 s left\n", said());
  }
}
