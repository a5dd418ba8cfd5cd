package dev.fovea.testkit;

/** Plays {@link CheckChild}: cases pass, but 5 dies at once, 11 dies if alone or not, 17 hangs. */
final class DyingChild {

  private DyingChild() {}

  /** Arguments as {@link CheckChild} has them. */
  public static void main(String[] arguments) throws InterruptedException {
    long from = Long.parseLong(arguments[2]);
    long to = Long.parseLong(arguments[3]);
    int threads = Integer.parseInt(arguments[4]);
    System.out.println("a line that is not of the protocol");
    for (long i = from; i < to; i++) {
      say("S " + i);
      if (i == 5) {
        System.exit(134);
      }
      if (i == 11) {
        // In flight with 12, as with two threads.
        if (threads > 1) {
          say("S 12");
        }
        Runtime.getRuntime().halt(139);
      }
      if (i == 17) {
        Thread.sleep(60_000);
      }
      say(i == 3 ? "F 3 wrong out: off by one" : "P " + i + " 0.25 f 24 64 kernel");
    }
  }

  private static void say(String line) {
    System.out.println(CheckChild.PREFIX + line);
    System.out.flush();
  }
}
