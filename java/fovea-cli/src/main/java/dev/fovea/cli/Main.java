package dev.fovea.cli;

import dev.fovea.FoveaException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.NoSuchFileException;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/**
 * The command {@code fovea}: what is here, what it can do, and whether it does it right.
 *
 * <p>Exit codes: 0 all well; 1 a check failed, or a fault of ours; 2 a fault in what was asked for,
 * said in one sentence on standard error.
 */
@Command(
    name = "fovea",
    description = "Fused attention for the JVM.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    subcommands = {
      InfoCommand.class,
      DemoCommand.class,
      CheckCommand.class,
      AttendCommand.class,
      BenchCommand.class
    })
public final class Main {

  /** A check failed, or we did. */
  static final int FAILED = 1;

  /** What was asked for cannot be done. */
  static final int USAGE = 2;

  private final PrintStream out;
  private final PrintStream err;

  @Option(
      names = "--stack-trace",
      hidden = true,
      scope = ScopeType.INHERIT,
      description = "Show where in the program an error arose.")
  private boolean stackTrace;

  private Main(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** Runs the command line and ends the process. */
  public static void main(String[] arguments) {
    System.exit(run(System.out, System.err, arguments));
  }

  /**
   * Runs a command line.
   *
   * @param out standard output: with {@code --json} one JSON document and nothing else
   * @param err standard error: everything else
   * @return the exit code
   */
  static int run(PrintStream out, PrintStream err, String... arguments) {
    Main main = new Main(out, err);
    return new CommandLine(main)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true)
        .setOut(new java.io.PrintWriter(out, true))
        .setErr(new java.io.PrintWriter(err, true))
        .setParameterExceptionHandler((e, given) -> main.refuse(e))
        .setExecutionExceptionHandler((e, command, result) -> main.fail(e))
        .execute(arguments);
  }

  PrintStream out() {
    return out;
  }

  PrintStream err() {
    return err;
  }

  private int refuse(ParameterException e) {
    String command = e.getCommandLine().getCommandSpec().qualifiedName();
    err.println(sentence(e.getMessage()) + " Try: " + command + " --help");
    trace(e);
    return USAGE;
  }

  private int fail(Exception e) {
    boolean asked =
        e instanceof IllegalArgumentException
            || e instanceof UnsupportedOperationException
            || e instanceof IOException;
    boolean ours = asked || e instanceof FoveaException || e instanceof IllegalStateException;
    if (e instanceof NoSuchFileException) {
      err.println("There is no file " + e.getMessage() + ".");
    } else if (ours && e.getMessage() != null) {
      err.println(sentence(e.getMessage()));
    } else {
      err.println(sentence(e.toString()));
    }
    trace(e);
    return asked ? USAGE : FAILED;
  }

  private void trace(Exception e) {
    if (stackTrace) {
      e.printStackTrace(err);
    }
  }

  private static String sentence(String message) {
    String text = message.strip();
    return List.of('.', '!', '?').contains(text.charAt(text.length() - 1)) ? text : text + ".";
  }
}
