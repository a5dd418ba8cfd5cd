package dev.fovea;

/** Half of a mebibyte and then one more, to be run under a limit. */
public final class LimitProbe {
  private LimitProbe() {}

  public static void main(String[] args) {
    try (Scope scope = Scope.open()) {
      for (long kibibytes : new long[] {512, 1024}) {
        try {
          scope.allocate(DType.FLOAT32, kibibytes, 256);
          System.out.println("allocated");
        } catch (FoveaException e) {
          System.out.println(e.status());
        }
      }
      Device cpu = scope.device();
      System.out.printf("%d of %d in %d%n", cpu.memoryHeld(), cpu.memoryLimit(), cpu.openScopes());
    }
  }
}
