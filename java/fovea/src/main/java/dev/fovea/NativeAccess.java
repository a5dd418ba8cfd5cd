package dev.fovea;

/**
 * Whether a caller may name raw addresses. The JDK asks this of callers of its own restricted
 * methods; when one of them stands in these modules, it asks about these modules alone.
 */
final class NativeAccess {
  static final StackWalker CALLER =
      StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);

  private NativeAccess() {}

  /**
   * Refuses a caller whose module has no native access.
   *
   * @param method what it called, as in messages
   */
  static void require(Class<?> caller, String method) {
    Module module = caller.getModule();
    if (isOurs(module) || module.isNativeAccessEnabled()) {
      return;
    }
    throw new IllegalCallerException(
        "%s calls %s, which trusts a raw address, without native access: start java with"
                .formatted(module, method)
            + " --enable-native-access="
            + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
  }

  /** The class path is one module, and so the JDK's own check is about the caller too. */
  private static boolean isOurs(Module module) {
    Module ours = NativeAccess.class.getModule();
    return module == ours || !module.isNamed() && !ours.isNamed();
  }
}
