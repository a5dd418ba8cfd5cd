package dev.fovea.cli;

import dev.fovea.FoveaException;
import dev.fovea.cli.files.Reason;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.List;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;

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
    CommandLine commands = new CommandLine(main);
    Converters.register(commands);
    commands
        .setExpandAtFiles(false) // a question may begin with @
        .setUsageHelpAutoWidth(true)
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .setParameterExceptionHandler((e, given) -> main.refuse(e))
        .setExecutionExceptionHandler((e, command, result) -> main.fail(e));
    int code;
    try {
      code = commands.execute(arguments);
    } catch (Error e) { // a library that cannot be linked, no memory: picocli lets them pass
      code = main.fail(e);
    }
    if (out.checkError()) {
      err.println("Standard output cannot be written: what was to be printed is not all there.");
      return code == 0 ? FAILED : code;
    }
    return code;
  }

  PrintStream out() {
    return out;
  }

  PrintStream err() {
    return err;
  }

  private int refuse(ParameterException e) {
    CommandLine command = e.getCommandLine();
    ParameterException cause = e;
    List<String> unknown = command.getUnmatchedArguments();
    // A misspelt option is missing too: its name says more.
    if (e instanceof MissingParameterException && !unknown.isEmpty()) {
      cause = new UnmatchedArgumentException(command, unknown);
    }
    String message =
        cause instanceof UnmatchedArgumentException unmatched
            ? unmatched(unmatched)
            : e.getMessage();
    err.println(
        sentence(message) + " Try: " + command.getCommandSpec().qualifiedName() + " --help");
    trace(e);
    return USAGE;
  }

  private static String unmatched(UnmatchedArgumentException e) {
    String argument = e.getUnmatched().getFirst();
    CommandSpec command = e.getCommandLine().getCommandSpec();
    boolean option = argument.startsWith("-");
    Set<String> known = option ? command.optionsMap().keySet() : command.subcommands().keySet();
    return "There is no %s '%s' here%s"
        .formatted(
            option ? "option" : known.isEmpty() ? "place for" : "command",
            argument,
            NearMiss.of(argument, known).map(like -> "; did you mean " + like + "?").orElse(""));
  }

  private int fail(Throwable e) {
    Throwable cause = e instanceof UncheckedIOException io ? io.getCause() : e;
    boolean asked =
        cause instanceof IllegalArgumentException
            || cause instanceof UnsupportedOperationException
            || cause instanceof IOException;
    err.println(sentence(message(cause, asked)));
    trace(e);
    return asked ? USAGE : FAILED;
  }

  private static String message(Throwable e, boolean asked) {
    return switch (e) {
      case FileSystemException file -> file.getFile() + ": " + Reason.of(file);
      case OutOfMemoryError memory -> "There is not enough memory for this: " + text(memory);
      case LinkageError library -> "A library does not work here: " + text(library);
      case FoveaException ours -> text(ours);
      case IllegalStateException ours -> text(ours);
      default -> asked ? text(e) : "This is a fault of Fovea; --stack-trace shows where: " + e;
    };
  }

  private static String text(Throwable e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private void trace(Throwable e) {
    if (stackTrace) {
      e.printStackTrace(err);
    }
  }

  private static String sentence(String message) {
    String text = message.strip();
    return List.of('.', '!', '?').contains(text.charAt(text.length() - 1)) ? text : text + ".";
  }
}
