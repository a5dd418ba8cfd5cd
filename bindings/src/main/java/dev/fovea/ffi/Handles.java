package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * One unbound handle for each function: the address is the first argument, so that all libraries
 * share the {@code static final} handles, which the compiler folds into the call.
 *
 * <p>None is {@code Linker.Option.critical}: a critical call holds up every garbage collection
 * until it returns, and these calls compute.
 */
final class Handles {
  static final MethodHandle ABI_VERSION = downcall(FunctionDescriptor.of(JAVA_INT));

  static final MethodHandle LIBRARY_QUERY = downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS));

  static final MethodHandle DEVICE_QUERY =
      downcall(FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

  /** {@code fovea_plan_<operation>}. */
  static final MethodHandle PLAN =
      downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS));

  static final MethodHandle PREPARE = downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS));

  static final MethodHandle LOAD_MODIFIER =
      downcall(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));

  private Handles() {}

  /** {@code fovea_run_<operation>}: plan, call, operands, workspace, scratch, stream. */
  static MethodHandle run(int operands) {
    MemoryLayout[] addresses = new MemoryLayout[2 + operands + 3];
    Arrays.fill(addresses, ADDRESS);
    return downcall(FunctionDescriptor.of(JAVA_INT, addresses));
  }

  @SuppressWarnings("restricted")
  private static MethodHandle downcall(FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(descriptor);
  }

  /** What a downcall can throw is unchecked, whatever {@code invokeExact} declares. */
  static RuntimeException unchecked(Throwable thrown) {
    return switch (thrown) {
      case RuntimeException exception -> exception;
      case Error error -> throw error;
      default -> new IllegalStateException(thrown);
    };
  }
}
