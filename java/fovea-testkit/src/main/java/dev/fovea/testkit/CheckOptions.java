package dev.fovea.testkit;

import java.nio.file.Path;
import java.time.Duration;

/**
 * What to check.
 *
 * @param backend device name, "cpu", "cpu:avx2" or "sim:sm_80"
 * @param operation what the cases are of
 * @param cases number of cases, from index 0
 * @param seed of the sequence of cases
 * @param onlyCase index of the one case to run, or -1
 * @param threads cases in flight at a time
 * @param timeout after this long without a finished case the child is taken to hang
 * @param dump existing directory to write each case to as a {@link CaseFile}, or null
 * @param failFast no case starts after the first that failed
 */
public record CheckOptions(
    String backend,
    Operation operation,
    long cases,
    long seed,
    long onlyCase,
    int threads,
    Duration timeout,
    Path dump,
    boolean failFast) {

  /** 1,000 forward cases of seed 1, on two threads, two minutes of patience. */
  public static CheckOptions of(String backend) {
    return new CheckOptions(
        backend, Operation.FORWARD, 1000, 1, -1, 2, Duration.ofMinutes(2), null, false);
  }

  /** Cases of another operation. */
  public CheckOptions withOperation(Operation what) {
    return new CheckOptions(backend, what, cases, seed, onlyCase, threads, timeout, dump, failFast);
  }

  /** Another number of cases. */
  public CheckOptions withCases(long number) {
    return new CheckOptions(
        backend, operation, number, seed, onlyCase, threads, timeout, dump, failFast);
  }

  /** Another seed. */
  public CheckOptions withSeed(long number) {
    return new CheckOptions(
        backend, operation, cases, number, onlyCase, threads, timeout, dump, failFast);
  }

  /** One case alone. */
  public CheckOptions withOnlyCase(long index) {
    return new CheckOptions(
        backend, operation, cases, seed, index, threads, timeout, dump, failFast);
  }

  /** Another number of cases in flight. */
  public CheckOptions withThreads(int number) {
    return new CheckOptions(
        backend, operation, cases, seed, onlyCase, number, timeout, dump, failFast);
  }

  /** Other patience. */
  public CheckOptions withTimeout(Duration patience) {
    return new CheckOptions(
        backend, operation, cases, seed, onlyCase, threads, patience, dump, failFast);
  }

  /** Stops at the first failure. */
  public CheckOptions withFailFast() {
    return new CheckOptions(
        backend, operation, cases, seed, onlyCase, threads, timeout, dump, true);
  }

  /** Writes each case to a file. */
  public CheckOptions withDump(Path directory) {
    return new CheckOptions(
        backend, operation, cases, seed, onlyCase, threads, timeout, directory, failFast);
  }
}
