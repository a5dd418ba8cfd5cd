package dev.fovea.ffi;

import java.lang.foreign.Linker;
import java.util.Map;
import java.util.Optional;

/**
 * What this JVM runs on, beside what there are natives for: the words for a library that no place
 * had.
 *
 * @param os as {@code os.name} says
 * @param architecture as {@code os.arch} says
 * @param glibc whether the C library is glibc, which those for Linux need
 */
record Platform(String os, String architecture, boolean glibc) {
  private static final String X86_64 = "linux-x86_64";

  /** Of an architecture, the classifier of {@code fovea-natives} for its CPU. */
  private static final Map<String, String> CLASSIFIERS =
      Map.of("amd64", X86_64, "x86_64", X86_64, "aarch64", "linux-aarch64");

  private static final String SUPPORTED =
      "Linux with glibc on x86-64, linux-x86_64, and on AArch64, linux-aarch64, only";

  static Platform current() {
    String os = System.getProperty("os.name", "");
    return new Platform(os, System.getProperty("os.arch", ""), os.equals("Linux") && hasGlibc());
  }

  /** What to do about a library that no artifact has; empty if that cannot be known. */
  Optional<String> advice(String library) {
    if (library.equals("fovea_sim")) {
      return Optional.of(
          "native/build/lib/libfovea_sim.so, which `native/build.sh release --target fovea_sim`"
              + " builds in Fovea's sources, for -Dfovea.native.sim.path; no jar holds it");
    }
    return classifier(library)
        .map(
            classifier ->
                "the artifact dev.fovea:fovea-natives with the classifier %s (there are natives for %s)"
                    .formatted(classifier, SUPPORTED));
  }

  private Optional<String> classifier(String library) {
    Optional<String> cpu = Optional.ofNullable(CLASSIFIERS.get(architecture));
    return switch (library) {
      case "fovea_cpu" -> cpu;
      case "fovea_cuda" -> cpu.filter(X86_64::equals).map(classifier -> classifier + "-cuda13");
      default -> Optional.empty();
    };
  }

  /** Why no artifact can have a library for this platform; empty if one can. */
  Optional<String> refusal() {
    boolean supported = os.equals("Linux") && glibc && CLASSIFIERS.containsKey(architecture);
    return supported
        ? Optional.empty()
        : Optional.of("this is %s, and there are natives for %s".formatted(this, SUPPORTED));
  }

  @Override
  public String toString() {
    return os + " on " + architecture + (os.equals("Linux") && !glibc ? " without glibc" : "");
  }

  /** musl, the other C library, lacks this function. */
  private static boolean hasGlibc() {
    return Linker.nativeLinker().defaultLookup().find("gnu_get_libc_version").isPresent();
  }
}
