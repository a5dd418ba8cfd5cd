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

/** A JVM like this one that runs {@link CheckChild}: same java, same modules or class path. */
final class ChildProcess implements AutoCloseable {

  private static final int KEPT_LINES = 30;
  private static final String END = "";

  private final Process process;
  private final Path directory;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final Deque<String> other = new ArrayDeque<>();
  private boolean hung;

  private ChildProcess(Process process, Path directory) {
    this.process = process;
    this.directory = directory;
    Thread.ofVirtual().start(this::pump);
  }

  static ChildProcess start(
      List<String> program, CheckOptions options, long from, long to, int threads) {
    try {
      Path directory = Files.createTempDirectory("fovea-check");
      List<String> command = new ArrayList<>();
      command.add(
          ProcessHandle.current()
              .info()
              .command()
              .orElse(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
      command.add("-Xmx3g");
      command.add("-XX:-CreateCoredumpOnCrash");
      command.add("-XX:ErrorFile=" + directory.resolve("hs_err.log"));
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
      command.add(options.operation().name());
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      return new ChildProcess(process, directory);
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
          synchronized (other) {
            other.add(line);
            if (other.size() > KEPT_LINES) {
              other.remove();
            }
          }
        }
      }
    } catch (IOException failure) {
      // The process was destroyed: what it had to say is said.
      synchronized (other) {
        other.add(failure.toString());
      }
    } finally {
      lines.add(END);
    }
  }

  /** The next line of the protocol; null at the end, also if the patience is exhausted. */
  String nextLine(Duration patience) {
    try {
      String line = lines.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
      if (line == null) {
        hung = true;
        process.destroyForcibly().waitFor();
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
  String obituary() {
    StringBuilder text = new StringBuilder("exit code " + exitCode());
    Path log = directory.resolve("hs_err.log");
    if (Files.exists(log)) {
      try {
        List<String> all = Files.readAllLines(log);
        for (int i = 0; i < Math.min(all.size(), 40); i++) {
          String line = all.get(i);
          if (line.contains("SIG")
              || line.contains("Problematic frame")
              || line.contains(" C  [")) {
            text.append("; ").append(line.replaceFirst("^#\\s*", ""));
          } else if (i > 0 && all.get(i - 1).contains("Problematic frame")) {
            text.append(' ').append(line.replaceFirst("^#\\s*", ""));
          }
        }
        return text.toString();
      } catch (IOException failure) {
        text.append("; ").append(failure);
      }
    }
    synchronized (other) {
      other.forEach(line -> text.append("; ").append(line));
    }
    return text.toString();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        Files.delete(file);
      }
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    directory.toFile().delete();
  }
}
