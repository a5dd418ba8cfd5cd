package dev.fovea.ffi;

/** An artifact as those of the product are: a library beside a class. */
public final class BesideLocator extends ResourceLocator {
  /** Made by {@link java.util.ServiceLoader}. */
  public BesideLocator() {
    super("fovea_cpu");
  }
}
