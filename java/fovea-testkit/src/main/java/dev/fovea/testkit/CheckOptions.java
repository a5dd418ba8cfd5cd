package dev.fovea.testkit;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/**
 * What to check.
 *
 * @param backend device name, "cpu", "cpu:avx2" or "sim:sm_80"
 * @param operation what the cases are of
 * @param pass which of its passes
 * @param cases number of cases, from index 0; 0 or more
 * @param seed of the sequence of cases
 * @param onlyCase index of the one case to run, at most {@link #LAST_CASE}, or -1
 * @param threads cases in flight at a time, at most {@link #MOST_THREADS}
 * @param timeout after this long, more than zero, without a finished case the child is taken to
 *     hang
 * @param dump existing directory to write each case to as a {@link CaseFile}, or null
 * @param failFast no case starts after the first that failed
 */
public record CheckOptions(
    String backend,
    Operation operation,
    Pass pass,
    long cases,
    long seed,
    long onlyCase,
    int threads,
    Duration timeout,
    Path dump,
    boolean failFast) {

  /** The last index that a case can have: the one after it is a number too. */
  public static final long LAST_CASE = Long.MAX_VALUE - 1;

  /** More cases at a time only take memory. */
  public static final int MOST_THREADS = 1024;

  /** Refuses numbers out of range by an {@link IllegalArgumentException}. */
  public CheckOptions {
    Objects.requireNonNull(backend, "backend");
    Objects.requireNonNull(operation, "operation");
    Objects.requireNonNull(pass, "pass");
    if (!operation.passes().contains(pass)) {
      throw new IllegalArgumentException(
          "%s has no %s pass: nothing of it has a gradient".formatted(operation, pass));
    }
    between("cases", cases, 0, Long.MAX_VALUE);
    between("onlyCase", onlyCase, -1, LAST_CASE);
    between("threads", threads, 1, MOST_THREADS);
    if (!timeout.isPositive()) {
      throw new IllegalArgumentException("timeout is " + timeout + ", expected more than zero");
    }
  }

  private static void between(String name, long value, long least, long most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          name + " is " + value + ", expected " + least + " to " + most);
    }
  }

  /**
   * 1,000 forward cases of the first operation, of seed 1, on two threads, two minutes of patience.
   */
  public static CheckOptions of(String backend) {
    return new CheckOptions(
        backend,
        Operations.all().getFirst(),
        Pass.FORWARD,
        1000,
        1,
        -1,
        2,
        Duration.ofMinutes(2),
        null,
        false);
  }

  /** Cases of another operation. */
  public CheckOptions withOperation(Operation what) {
    return new CheckOptions(
        backend, what, pass, cases, seed, onlyCase, threads, timeout, dump, failFast);
  }

  /** Cases of another pass. */
  public CheckOptions withPass(Pass what) {
    return new CheckOptions(
        backend, operation, what, cases, seed, onlyCase, threads, timeout, dump, failFast);
  }

  /** Another number of cases. */
  public CheckOptions withCases(long number) {
    return new CheckOptions(
        backend, operation, pass, number, seed, onlyCase, threads, timeout, dump, failFast);
  }

  /** Another seed. */
  public CheckOptions withSeed(long number) {
    return new CheckOptions(
        backend, operation, pass, cases, number, onlyCase, threads, timeout, dump, failFast);
  }

  /** One case alone. */
  public CheckOptions withOnlyCase(long index) {
    return new CheckOptions(
        backend, operation, pass, cases, seed, index, threads, timeout, dump, failFast);
  }

  /** Another number of cases in flight. */
  public CheckOptions withThreads(int number) {
    return new CheckOptions(
        backend, operation, pass, cases, seed, onlyCase, number, timeout, dump, failFast);
  }

  /** Other patience. */
  public CheckOptions withTimeout(Duration patience) {
    return new CheckOptions(
        backend, operation, pass, cases, seed, onlyCase, threads, patience, dump, failFast);
  }

  /** Stops at the first failure. */
  public CheckOptions withFailFast() {
    return new CheckOptions(
        backend, operation, pass, cases, seed, onlyCase, threads, timeout, dump, true);
  }

  /** Writes each case to a file. */
  public CheckOptions withDump(Path directory) {
    return new CheckOptions(
        backend, operation, pass, cases, seed, onlyCase, threads, timeout, directory, failFast);
  }
}
