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
  /** The classifier of {@code fovea-natives} that has a library. */
  private static final Map<String, String> CLASSIFIERS =
      Map.of("fovea_cpu", "linux-x86_64", "fovea_cuda", "linux-x86_64-cuda13");

  private static final String SUPPORTED = "Linux on x86-64 with glibc, linux-x86_64, only";

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
    return Optional.ofNullable(CLASSIFIERS.get(library))
        .map(
            classifier ->
                "the artifact dev.fovea:fovea-natives with the classifier %s (there are natives for %s)"
                    .formatted(classifier, SUPPORTED));
  }

  /** Why no artifact can have a library for this platform; empty if one can. */
  Optional<String> refusal() {
    boolean supported =
        os.equals("Linux")
            && glibc
            && (architecture.equals("amd64") || architecture.equals("x86_64"));
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
