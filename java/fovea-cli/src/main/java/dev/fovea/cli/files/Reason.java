package dev.fovea.cli.files;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Why something with a file failed, as the rest of a sentence. */
public final class Reason {

  private Reason() {}

  /** The reason; not the name of the file, which only some exceptions know. */
  public static String of(IOException failure) {
    return switch (failure) {
      case NoSuchFileException e -> "there is no such file or folder";
      case AccessDeniedException e -> "permission is denied";
      case FileSystemLoopException e -> "its symbolic links lead in a circle";
      case FileAlreadyExistsException e -> "something else of that name is there";
      case NotDirectoryException e -> "not a folder";
      case FileSystemException e when e.getReason() != null -> lower(e.getReason());
      default -> failure.getMessage() == null ? "it failed" : lower(failure.getMessage());
    };
  }

  /** What the system says begins with a capital; names such as EOF stay as they are. */
  private static String lower(String text) {
    boolean sentence = text.length() > 1 && Character.isLowerCase(text.charAt(1));
    return sentence ? Character.toLowerCase(text.charAt(0)) + text.substring(1) : text;
  }
}
