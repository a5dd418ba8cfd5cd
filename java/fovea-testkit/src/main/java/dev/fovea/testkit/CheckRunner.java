package dev.fovea.testkit;

import dev.fovea.testkit.CheckReport.Failure;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Runs random cases against a backend in a child process and reports what was found. A case that
 * crashes the child or hangs it is named like any other failure, and the rest of the cases run in a
 * new child.
 */
public final class CheckRunner {

  /** After so many crashes and hangs the rest is not worth the time. */
  private static final int MOST_DEATHS = 20;

  private final CheckOptions options;
  private final List<String> program;
  private final Limits limits;
  private final Coverage coverage;
  private final List<Failure> failures = new ArrayList<>();
  private long passed;
  private double worst;

  private CheckRunner(CheckOptions options, List<String> program) {
    this.options = options;
    this.program = program;
    limits = Limits.of(options.backend());
    coverage = new Coverage(options.operation(), limits);
  }

  /**
   * Runs the cases.
   *
   * @throws IllegalStateException if the child cannot even start; the text holds what it printed
   */
  public static CheckReport run(CheckOptions options) {
    return run(options, ChildProcess.program());
  }

  /** As {@link #run(CheckOptions)}, with another program than {@link CheckChild}. */
  static CheckReport run(CheckOptions options, List<String> program) {
    return new CheckRunner(options, program).run();
  }

  private CheckReport run() {
    long start = System.nanoTime();
    boolean one = options.onlyCase() >= 0;
    long from = one ? options.onlyCase() : 0;
    long to = one ? from + 1 : options.cases();
    int deaths = 0;
    while (from < to && deaths < MOST_DEATHS) {
      Round round = round(from, to, options.threads());
      if (round.death == null) {
        break;
      }
      deaths++;
      blame(round);
      from = options.failFast() ? to : round.last + 1;
    }
    failures.sort(Comparator.comparingLong(Failure::index));
    return new CheckReport(
        options.backend(),
        options.operation(),
        options.seed(),
        one ? 1 : options.cases(),
        passed,
        failures.size(),
        List.copyOf(failures),
        worst,
        (System.nanoTime() - start) * 1e-9,
        coverage.single(),
        coverage.rarestPairs(),
        coverage.pairs(),
        coverage.sizes(),
        one ? List.of() : coverage.belowMinimum(),
        !one && coverage.judged());
  }

  /** What one child did. */
  private static final class Round {
    final SortedSet<Long> inFlight = new TreeSet<>();
    long last = -1;
    String kind;
    String death;
  }

  private Round round(long from, long to, int threads) {
    Round round = new Round();
    round.last = from - 1;
    try (ChildProcess child = ChildProcess.start(program, options, from, to, threads)) {
      while (true) {
        String line = child.nextLine(options.timeout());
        if (line == null) {
          break;
        }
        accept(round, line);
        if (options.failFast() && !failures.isEmpty()) {
          return round; // and closes the child in the middle of its cases
        }
      }
      if (child.hung()) {
        round.kind = "hang";
        round.death = "no case finished within " + options.timeout().toSeconds() + " s";
      } else if (child.exitCode() != 0 || !round.inFlight.isEmpty()) {
        round.kind = "crash";
        round.death = child.obituary();
      }
    }
    if (round.death != null && round.last < from) {
      throw new IllegalStateException("the child process did not start: " + round.death);
    }
    return round;
  }

  private void accept(Round round, String line) {
    String[] words = line.split(" ", 4);
    long index = Long.parseLong(words[1]);
    switch (words[0]) {
      case "S" -> {
        round.inFlight.add(index);
        round.last = Math.max(round.last, index);
      }
      case "P" -> {
        round.inFlight.remove(index);
        passed++;
        worst = Math.max(worst, Double.parseDouble(words[2]));
        String[] tiles = words[3].split(" ");
        coverage.add(
            options.operation().generate(options.seed(), index, limits),
            Integer.parseInt(tiles[0]),
            Integer.parseInt(tiles[1]));
      }
      case "F" -> {
        round.inFlight.remove(index);
        fail(index, words[2], words[3]);
      }
      default -> throw new IllegalStateException("child said: " + line);
    }
  }

  /** Finds which of the cases in flight killed the child, by running each alone. */
  private void blame(Round round) {
    if (round.inFlight.size() == 1) {
      fail(round.inFlight.first(), round.kind, round.death);
      return;
    }
    boolean found = false;
    for (long suspect : round.inFlight) {
      Round alone = round(suspect, suspect + 1, 1);
      if (alone.death != null) {
        fail(suspect, alone.kind, alone.death);
        found = true;
      }
    }
    if (!found) {
      long index = round.inFlight.isEmpty() ? round.last : round.inFlight.first();
      fail(
          index,
          round.kind,
          round.death + "; in flight were " + round.inFlight + ", and each alone survives");
    }
  }

  private void fail(long index, String kind, String message) {
    CheckedCase c = options.operation().generate(options.seed(), index, limits);
    String repeat = "./fovea check --backend " + options.backend() + " " + c.repeat();
    failures.add(new Failure(index, kind, repeat, message, c.toString()));
  }
}
