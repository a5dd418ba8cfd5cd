package dev.fovea.ffi.report;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.StringJoiner;

/**
 * What became of loading one library.
 *
 * @param name the library that was asked for, without prefix and suffix: {@code "fovea_cpu"}
 * @param attempts every place that was looked at, in order
 * @param library the library, if one place had it
 * @param mayPass whether none had, and one of them for a reason that may not be there next time,
 *     such as a full folder for temporary files: then it is worth another try
 */
public record LoadReport(
    String name, List<Attempt> attempts, Optional<Library> library, boolean mayPass) {
  /**
   * One place.
   *
   * @param place a property with its value, an artifact, or a file
   * @param refusal why nothing was loaded from there; empty for the place that had the library
   */
  public record Attempt(String place, Optional<String> refusal) {
    /** Nothing is null. */
    public Attempt {
      Objects.requireNonNull(place, "place");
      Objects.requireNonNull(refusal, "refusal");
    }

    @Override
    public String toString() {
      return place + ": " + refusal.orElse("loaded");
    }
  }

  /**
   * What a library says of itself.
   *
   * @param origin where it was loaded from
   * @param backend what it calls itself: {@code "cpu"}, {@code "cuda"}, {@code "sim"}
   * @param version of the product it was built from
   * @param build compiler, its version, targets
   */
  public record Library(String origin, String backend, String version, String build) {}

  /** Nothing is null; the list is copied. */
  public LoadReport {
    Objects.requireNonNull(name, "name");
    attempts = List.copyOf(attempts);
    Objects.requireNonNull(library, "library");
  }

  /**
   * That something beside our own libraries is missing, which they need: for modules that provide
   * devices.
   */
  public static LoadReport refused(String name, String place, String reason) {
    return new LoadReport(
        name, List.of(new Attempt(place, Optional.of(reason))), Optional.empty(), false);
  }

  /** The whole story, one line for each place. */
  @Override
  public String toString() {
    StringJoiner lines = new StringJoiner("\n  ");
    lines.add(library.isEmpty() ? name + " could not be loaded:" : name + " is loaded:");
    attempts.forEach(attempt -> lines.add(attempt.toString()));
    return lines.toString();
  }
}
