package dev.fovea.cli.files;

import java.nio.file.Path;

/** Names of files for pictures. */
public final class PngName {

  private PngName() {}

  /**
   * Refuses a name that promises another format.
   *
   * @param option that the name was given to
   */
  public static void check(String option, Path file) {
    Path name = file.getFileName();
    int dot = name == null ? -1 : name.toString().lastIndexOf('.');
    if (dot > 0 && !name.toString().substring(dot).equalsIgnoreCase(".png")) {
      throw new IllegalArgumentException(
          "%s is %s, expected a name that ends in .png: pictures are PNG".formatted(option, file));
    }
  }
}
