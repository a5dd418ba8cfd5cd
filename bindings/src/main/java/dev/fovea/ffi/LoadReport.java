package dev.fovea.ffi;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.StringJoiner;

/**
 * What became of loading one library: every place that was looked at, in order, with the reason why
 * it was passed over, and the library if one place had it.
 */
public final class LoadReport {
  /**
   * One place.
   *
   * @param place a property with its value, an artifact, or a file
   * @param refusal why nothing was loaded from there; empty for the place that had the library
   */
  public record Attempt(String place, Optional<String> refusal) {
    public Attempt {
      Objects.requireNonNull(place, "place");
      Objects.requireNonNull(refusal, "refusal");
    }

    @Override
    public String toString() {
      return place + ": " + refusal.orElse("loaded");
    }
  }

  private final String name;
  private final List<Attempt> attempts;
  private final NativeLibrary library; // null if no place had it
  private final boolean mayPass;

  LoadReport(String name, List<Attempt> attempts, NativeLibrary library, boolean mayPass) {
    this.name = name;
    this.attempts = List.copyOf(attempts);
    this.library = library;
    this.mayPass = mayPass;
  }

  /**
   * That something beside our own libraries is missing, which they need: for modules that provide
   * devices.
   */
  public static LoadReport refused(String name, String place, String reason) {
    return new LoadReport(name, List.of(new Attempt(place, Optional.of(reason))), null, false);
  }

  /** The library that was asked for, without prefix and suffix: {@code "fovea_cpu"}. */
  public String name() {
    return name;
  }

  /** Every place that was looked at, in order. */
  public List<Attempt> attempts() {
    return attempts;
  }

  /** The library, if one place had it. */
  public Optional<NativeLibrary> library() {
    return Optional.ofNullable(library);
  }

  /**
   * Whether no place had the library, and one of them for a reason that may not be there next time,
   * such as a full folder for temporary files: then another {@link NativeLoader#load} is worth it.
   */
  public boolean mayPass() {
    return mayPass;
  }

  /** The whole story, one line for each place. */
  @Override
  public String toString() {
    StringJoiner lines = new StringJoiner("\n  ");
    lines.add(library == null ? name + " could not be loaded:" : name + " is loaded:");
    attempts.forEach(attempt -> lines.add(attempt.toString()));
    return lines.toString();
  }
}
