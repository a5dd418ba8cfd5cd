package dev.fovea.serving;

/** A cache has fewer free pages than were asked for. Every sequence is as it was. */
public final class OutOfPagesException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int needed;
  private final int free;

  OutOfPagesException(int needed, int free) {
    super("%d pages are needed, and %d are free".formatted(needed, free));
    this.needed = needed;
    this.free = free;
  }

  /** Pages that were asked for. */
  public int needed() {
    return needed;
  }

  /** Pages that there were. */
  public int free() {
    return free;
  }
}
