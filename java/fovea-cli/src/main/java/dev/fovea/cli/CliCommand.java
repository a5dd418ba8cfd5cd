package dev.fovea.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.PrintStream;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** What all commands share: {@code --json}, {@code --help} and where output goes. */
@Command(mixinStandardHelpOptions = true, versionProvider = Version.class)
abstract class CliCommand implements Callable<Integer> {

  @ParentCommand private Main main;

  @Option(
      names = "--json",
      description =
          "Print one JSON document on standard output, everything else on standard error.")
  private boolean json;

  /** Runs and returns the exit code. */
  @Override
  public abstract Integer call() throws Exception;

  /** True if the result is a JSON document. */
  final boolean json() {
    return json;
  }

  /** Where text for people goes. */
  final PrintStream text() {
    return json ? main.err() : main.out();
  }

  /** Where progress and warnings go. */
  final PrintStream err() {
    return main.err();
  }

  /** Prints the document, if it was asked for. */
  final void document(JsonObject document) {
    if (json) {
      Gson gson = new GsonBuilder().disableHtmlEscaping().serializeNulls().create();
      main.out().println(gson.toJson(document));
    }
  }

  /** Refuses a number that is too small. */
  static void atLeast(String option, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(
          option + " is " + value + ", expected " + least + " or more");
    }
  }

  /** Refuses a number that is too small or too large. */
  static void between(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          option + " is " + value + ", expected " + least + " to " + most);
    }
  }
}
