package dev.fovea.testkit;

import dev.fovea.testkit.CheckReport.Failure;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
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
  private final SortedMap<Long, Failure> failures = new TreeMap<>();
  private final SortedMap<String, Integer> kernels = new TreeMap<>();
  private long passed;
  private double worst;
  private long bits;

  private CheckRunner(CheckOptions options, List<String> program) {
    this.options = options;
    this.program = program;
    limits = Limits.of(options.backend());
    coverage = new Coverage(options.operation(), options.pass(), limits);
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
      blame(round, from);
      from = options.failFast() ? to : Math.max(from, round.last) + 1;
    }
    return new CheckReport(
        options.backend(),
        options.operation(),
        options.pass(),
        options.seed(),
        one ? 1 : options.cases(),
        passed,
        failures.size(),
        List.copyOf(failures.values()),
        worst,
        bits,
        (System.nanoTime() - start) * 1e-9,
        kernels,
        coverage.single(),
        coverage.rarestPairs(),
        coverage.pairs(),
        coverage.sizes(),
        one ? List.of() : coverage.belowMinimum(),
        !one && coverage.judged());
  }

  /** What one child did. */
  private static final class Round {
    /** Cases that were begun and have no result. */
    final SortedSet<Long> inFlight = new TreeSet<>();

    /** The last case that was begun; one less than the first if there is none. */
    long last;

    /** The case that ended last, -1 if none has; and whether it passed. */
    long ended = -1;

    boolean endedWell;
    String kind;
    String death;

    Round(long from) {
      last = from - 1;
    }

    /** Cases are taken in order, so that those before one that was begun are begun too. */
    void begin(long index) {
      while (last < index) {
        inFlight.add(++last);
      }
    }

    void end(long index, boolean well) {
      inFlight.remove(index);
      ended = index;
      endedWell = well;
    }
  }

  private Round round(long from, long to, int threads) {
    Round round = new Round(from);
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
      round.death = "the child process did not start: " + round.death;
      if (passed == 0 && failures.isEmpty()) {
        throw new IllegalStateException(round.death);
      }
    }
    return round;
  }

  private void accept(Round round, String line) {
    String[] words = line.split(" ", 4);
    long index = Long.parseLong(words[1]);
    switch (words[0]) {
      case "S" -> round.begin(index);
      case "P" -> {
        round.end(index, true);
        passed++;
        worst = Math.max(worst, Double.parseDouble(words[2]));
        String[] rest = words[3].split(" ");
        bits += Long.parseUnsignedLong(rest[0], 16);
        coverage.add(generate(index), Integer.parseInt(rest[1]), Integer.parseInt(rest[2]));
        kernels.merge(rest[3], 1, Integer::sum);
      }
      case "F" -> {
        round.end(index, false);
        fail(index, words[2], words[3]);
      }
      default -> throw new IllegalStateException("child said: " + line);
    }
  }

  /** Finds which of the cases in flight killed the child, by running each alone. */
  private void blame(Round round, long from) {
    if (round.last < from) {
      fail(from, round.kind, round.death);
      return;
    }
    if (round.inFlight.isEmpty()) {
      unpass(round);
      fail(round.ended, round.kind, round.death + "; it was the last case, and had ended");
      return;
    }
    if (round.inFlight.size() == 1) {
      fail(round.inFlight.first(), round.kind, round.death);
      return;
    }
    Round first = null;
    boolean found = false;
    for (long suspect : round.inFlight) {
      Round alone = round(suspect, suspect + 1, 1);
      first = first == null ? alone : first;
      if (alone.death != null) {
        unpass(alone);
        fail(suspect, alone.kind, alone.death);
        found = true;
      }
    }
    if (!found) {
      unpass(first);
      fail(
          first.ended,
          round.kind,
          round.death + "; in flight were " + round.inFlight + ", and each alone survives");
    }
  }

  private CheckedCase generate(long index) {
    return options.operation().generate(options.pass(), options.seed(), index, limits);
  }

  /** The case that ended last is to fail in spite of its result. */
  private void unpass(Round round) {
    if (round.endedWell) {
      passed--;
      round.endedWell = false;
    }
  }

  /** A case that has failed before fails for one more reason, but not twice. */
  private void fail(long index, String kind, String message) {
    CheckedCase c = generate(index);
    String repeat = "./fovea check --backend " + options.backend() + " " + c.repeat();
    failures.merge(
        index,
        new Failure(index, kind, repeat, message, c.toString()),
        (old, more) ->
            new Failure(
                index, old.kind(), repeat, old.message() + "; " + more.message(), c.toString()));
  }
}
