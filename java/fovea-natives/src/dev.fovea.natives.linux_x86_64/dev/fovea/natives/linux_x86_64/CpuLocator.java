package dev.fovea.natives.linux_x86_64;

import dev.fovea.ffi.NativeLocator;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Finds libfovea_cpu.so beside this class. */
public final class CpuLocator implements NativeLocator {
  private static final String FILE = "libfovea_cpu.so";

  @Override
  public String library() {
    return "fovea_cpu";
  }

  @Override
  public InputStream open() throws IOException {
    return resource(FILE);
  }

  @Override
  public String sha256() {
    try (InputStream in = resource(FILE + ".sha256")) {
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String describe() {
    // The jar's name says the artifact, its version and the platform.
    return String.valueOf(CpuLocator.class.getProtectionDomain().getCodeSource().getLocation());
  }

  private static InputStream resource(String name) throws IOException {
    InputStream in = CpuLocator.class.getResourceAsStream(name);
    if (in == null) {
      throw new FileNotFoundException("no " + name + " beside " + CpuLocator.class.getName());
    }
    return in;
  }
}
