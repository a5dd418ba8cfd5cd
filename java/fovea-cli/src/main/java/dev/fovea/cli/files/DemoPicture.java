package dev.fovea.cli.files;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;

/**
 * A picture that a demo draws: into the file that was asked for, or else into one of its own, if
 * that can be written.
 */
public final class DemoPicture {
  /** Where losses go if nobody says. */
  public static final String LOSSES = "fovea-training.png";

  private final Path file; // null: it will not be drawn
  private final boolean isAskedFor;
  private final CommandFiles files;
  private final PrintStream text;

  private DemoPicture(Path file, boolean isAskedFor, CommandFiles files, PrintStream text) {
    this.file = file;
    this.isAskedFor = isAskedFor;
    this.files = files;
    this.text = text;
  }

  /**
   * Before any work: a wrong name should not cost a minute.
   *
   * @param option that names it
   * @param file that was asked for; null: none
   * @param own file if none was
   * @param text where it is said that it is not drawn
   * @throws IllegalArgumentException if the file that was asked for is no picture's
   * @throws IOException if it cannot be written
   */
  public static DemoPicture of(
      String option, Path file, String own, CommandFiles files, PrintStream text)
      throws IOException {
    if (file != null) {
      PngName.check(option, file);
      files.writes(option, file);
      return new DemoPicture(file, true, files, text);
    }
    try {
      files.writes(option, Path.of(own));
      return new DemoPicture(Path.of(own), false, files, text);
    } catch (IllegalArgumentException | IOException e) {
      text.println(own + " will not be drawn: " + e.getMessage() + ".");
      return new DemoPicture(null, false, files, text);
    }
  }

  /** What is drawn. */
  @FunctionalInterface
  public interface Drawing {
    /** The picture as PNG. */
    byte[] png() throws IOException;
  }

  /**
   * Draws it, beside its place.
   *
   * @return its file; null if nobody asked for it and it cannot be drawn here
   */
  public Path draw(Drawing drawing) throws IOException {
    if (file == null) {
      return null;
    }
    try {
      files.write(file, drawing.png());
    } catch (IOException e) {
      if (isAskedFor) {
        throw e;
      }
      text.println(file + " is not drawn: " + e.getMessage() + ".");
      return null;
    }
    return file;
  }
}
