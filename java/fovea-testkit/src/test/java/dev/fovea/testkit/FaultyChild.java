package dev.fovea.testkit;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Plays {@link CheckChild} with a fault that its seed chooses; apart from it, cases pass. */
final class FaultyChild {

  /** Dies when all cases have ended. */
  static final int DIES_AT_THE_END = 1;

  /** Its last case is wrong, then it dies. */
  static final int WRONG_THEN_DIES = 2;

  /** Dies while two cases run, of which neither is to blame. */
  static final int DIES_IN_COMPANY = 3;

  /** Dies when case 1 has ended and case 0, which somebody has taken, has not begun. */
  static final int DIES_OUT_OF_ORDER = 4;

  /** Dies while it writes a case to a file. */
  static final int DIES_WRITING = 5;

  /** Says which process it is, and waits for its parent's end. */
  static final int WAITS = 6;

  private FaultyChild() {}

  /** Arguments as {@link CheckChild} has them. */
  public static void main(String[] arguments) throws Exception {
    int fault = Integer.parseInt(arguments[1]);
    long from = Long.parseLong(arguments[2]);
    long to = Long.parseLong(arguments[3]);
    boolean alone = to == from + 1;
    if (fault == DIES_IN_COMPANY && !alone) {
      say("S " + from);
      say("S " + (from + 1));
      Runtime.getRuntime().halt(139);
    }
    if (fault == DIES_OUT_OF_ORDER && from == 0) {
      say("S 1");
      pass(1);
      Runtime.getRuntime().halt(139);
    }
    for (long i = from; i < to; i++) {
      say("S " + i);
      if (fault == DIES_WRITING) {
        WholeFile file = WholeFile.begin(Path.of(arguments[5], "case"));
        file.channel().write(StandardCharsets.UTF_8.encode("half"));
        Runtime.getRuntime().halt(139);
      }
      if (fault == WAITS) {
        say("F " + i + " pid " + ProcessHandle.current().pid());
        CheckChild.endWithParent();
      }
      if (fault == WRONG_THEN_DIES && i == to - 1) {
        say("F " + i + " wrong off by one");
      } else {
        pass(i);
      }
    }
    if (fault == DIES_AT_THE_END || fault == WRONG_THEN_DIES) {
      Runtime.getRuntime().halt(3);
    }
  }

  private static void pass(long index) {
    say("P " + index + " 0.25 f 24 64 kernel");
  }

  private static void say(String line) {
    System.out.println(CheckChild.PREFIX + line);
    System.out.flush();
  }
}
