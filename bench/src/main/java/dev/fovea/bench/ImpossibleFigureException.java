package dev.fovea.bench;

/** A speed that the machine cannot reach: whatever was timed, it was not the work. */
final class ImpossibleFigureException extends RuntimeException {

  private static final long serialVersionUID = 1;

  ImpossibleFigureException(String message) {
    super(message);
  }
}
