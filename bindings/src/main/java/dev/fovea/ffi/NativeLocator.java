package dev.fovea.ffi;

import java.io.IOException;
import java.io.InputStream;

/**
 * A library that travels in a jar. Artifacts with native code provide this service, so that the
 * loader finds them on the class path and on the module path alike.
 */
public interface NativeLocator {
  /** The library, without prefix and suffix: {@code "fovea_cpu"}. */
  String library();

  /** Whether the library is for this JVM's processor; one that is not is not looked at. */
  default boolean fits() {
    return true;
  }

  /** The bytes of the library; the caller closes the stream. */
  InputStream open() throws IOException;

  /** The SHA-256 of those bytes in lower-case hexadecimal, fixed when the jar was built. */
  String sha256();

  /** What a person should read in {@code fovea info}: artifact, version and platform. */
  String describe();
}
