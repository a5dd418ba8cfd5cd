package dev.fovea.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A JVM like this one that runs {@link CheckChild}: same java, same modules or class path. Its
 * standard input stays open as long as this process lives, which is how it knows.
 */
final class ChildProcess implements AutoCloseable {

  private static final int KEPT_LINES = 30;

  /** Of a JVM's report of its death: what comes after them says nothing of the cause. */
  private static final int FATAL_LINES = 60;

  private static final String FATAL = "# A fatal error has been detected";
  private static final long GRACE_SECONDS = 5; // to clean up

  /**
   * As many are done before the second compiler pays: twenty in 0.6 of its time, two hundred in 1.1
   * of it.
   */
  private static final long QUICK_CASES = 100;

  private static final String END = "";

  private final Process process;
  private final Path dump;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final Deque<String> other = new ArrayDeque<>();
  private final List<String> fatal = new ArrayList<>();
  private boolean hung;

  private ChildProcess(Process process, Path dump) {
    this.process = process;
    this.dump = dump;
    Thread.ofVirtual().start(this::pump);
  }

  static ChildProcess start(
      List<String> program, CheckOptions options, long from, long to, int threads) {
    List<String> command = new ArrayList<>();
    command.add(
        ProcessHandle.current()
            .info()
            .command()
            .orElse(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.add("-Xmx3g");
    if (to - from <= QUICK_CASES) {
      command.add("-XX:TieredStopAtLevel=1");
    }
    command.add("-XX:-CreateCoredumpOnCrash");
    command.add("-XX:+ErrorFileToStdout"); // no file to be left behind
    System.getProperties().stringPropertyNames().stream()
        .filter(name -> name.startsWith("fovea."))
        .forEach(name -> command.add("-D" + name + "=" + System.getProperty(name)));
    command.add("-Djava.library.path=" + System.getProperty("java.library.path", ""));
    command.addAll(program);
    command.add(options.backend());
    command.add(String.valueOf(options.seed()));
    command.add(String.valueOf(from));
    command.add(String.valueOf(to));
    command.add(String.valueOf(threads));
    command.add(options.dump() == null ? "" : options.dump().toString());
    command.add(options.operation().toString());
    command.add(options.pass().name());
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      return new ChildProcess(process, options.dump());
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** The arguments of java that start {@link CheckChild} where this class came from. */
  static List<String> program() {
    String main = CheckChild.class.getName();
    Module module = CheckChild.class.getModule();
    String modulePath = System.getProperty("jdk.module.path");
    List<String> arguments = new ArrayList<>();
    if (!module.isNamed() || modulePath == null) {
      arguments.add("--enable-native-access=ALL-UNNAMED");
      arguments.add("-cp");
      arguments.add(System.getProperty("java.class.path"));
      arguments.add(main);
      return arguments;
    }
    String ours =
        ModuleLayer.boot().modules().stream()
            .map(Module::getName)
            .filter(name -> name.startsWith("dev.fovea"))
            .collect(Collectors.joining(","));
    arguments.add("--enable-native-access=" + ours);
    arguments.add("-p");
    arguments.add(modulePath);
    arguments.add("-m");
    arguments.add(module.getName() + "/" + main);
    return arguments;
  }

  private void pump() {
    try (BufferedReader reader = process.inputReader()) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (line.startsWith(CheckChild.PREFIX)) {
          lines.add(line.substring(CheckChild.PREFIX.length()));
        } else {
          keep(line);
        }
      }
    } catch (IOException failure) {
      keep(failure.toString()); // the process was destroyed: what it had to say is said
    } finally {
      lines.add(END);
    }
  }

  private synchronized void keep(String line) {
    if (!fatal.isEmpty() || line.startsWith(FATAL)) {
      if (fatal.size() < FATAL_LINES) {
        fatal.add(line);
      }
      return;
    }
    other.add(line);
    if (other.size() > KEPT_LINES) {
      other.remove();
    }
  }

  /** The next line of the protocol; null at the end, also if the patience is exhausted. */
  String nextLine(Duration patience) {
    try {
      // This conversion has no overflow.
      String line = lines.poll(TimeUnit.NANOSECONDS.convert(patience), TimeUnit.NANOSECONDS);
      if (line == null) {
        hung = true;
        end();
        return null;
      }
      return line.equals(END) ? null : line;
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupted);
    }
  }

  boolean hung() {
    return hung;
  }

  int exitCode() {
    try {
      return process.waitFor();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupted);
    }
  }

  /** What the JVM wrote about its death, in one line. */
  synchronized String obituary() {
    StringBuilder text = new StringBuilder("exit code " + exitCode());
    for (int i = 0; i < fatal.size(); i++) {
      String line = fatal.get(i);
      if (i > 0 && fatal.get(i - 1).contains("Problematic frame")) {
        text.append(' ').append(line.replaceFirst("^#\\s*", ""));
      } else if (line.contains("SIG")
          || line.contains("Problematic frame")
          || line.contains(" C  [")) {
        text.append("; ").append(line.replaceFirst("^#\\s*", ""));
      }
    }
    if (fatal.isEmpty()) {
      other.forEach(line -> text.append("; ").append(line));
    }
    return text.toString();
  }

  /** First with the chance to clean up. */
  private void end() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(GRACE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
  }

  @Override
  public void close() {
    try {
      end();
      if (dump != null) {
        deleteUnfinished();
      }
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** Who is killed while it writes a case cannot delete what it has written. */
  private void deleteUnfinished() throws IOException {
    String glob = WholeFile.prefix(process.pid()) + "*";
    try (DirectoryStream<Path> files = Files.newDirectoryStream(dump, glob)) {
      for (Path file : files) {
        Files.deleteIfExists(file);
      }
    }
  }
}
