package dev.fovea.cli.attend;

import com.google.gson.JsonObject;
import dev.fovea.ffi.Operand;
import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** One pass of an operation on files, which is planned already. */
final class Pass {

  private static final Pattern WORD = Pattern.compile("_(.)");

  private final String kernel;
  private final Runnable work;
  private final Operands operands;
  private final List<Operand> results;
  private double milliseconds;

  /**
   * A pass.
   *
   * @param results what it may write; those that no file is named for stay unsaid
   */
  Pass(String kernel, Runnable work, Operands operands, List<Operand> results) {
    this.kernel = kernel;
    this.work = work;
    this.operands = operands;
    this.results = results.stream().filter(it -> operands.result(it) != null).toList();
  }

  /** Runs it, writes its results, and adds what there is to say to {@code document}. */
  void run(JsonObject document, ResultFiles files) throws IOException {
    long start = System.nanoTime();
    work.run();
    milliseconds = (System.nanoTime() - start) * 1e-6;
    document.addProperty("kernel", kernel);
    document.addProperty("firstRunMilliseconds", milliseconds);
    for (Operand it : results) {
      files.write(document, name(it), operands.get(it.name()), operands.result(it));
    }
  }

  /** Says what it did. */
  void print(PrintStream text) {
    text.printf(Locale.ROOT, "by %s (first run, %.1f ms)%n", kernel, milliseconds);
    for (Operand it : results) {
      text.printf(
          "  %s %s -> %s%n",
          name(it), NpyTensors.text(operands.get(it.name())), operands.result(it));
    }
  }

  /** "dalibiSlopes" */
  private static String name(Operand operand) {
    return WORD.matcher(Mechanism.result(operand))
        .replaceAll(it -> it.group(1).toUpperCase(Locale.ROOT));
  }
}
