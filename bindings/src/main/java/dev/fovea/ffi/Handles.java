package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;

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

  static final MethodHandle PLAN_ATTENTION =
      downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS));

  static final MethodHandle PLAN_ATTENTION_BACKWARD =
      downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));

  static final MethodHandle PREPARE_ATTENTION = downcall(FunctionDescriptor.of(JAVA_INT, ADDRESS));

  static final MethodHandle RUN_ATTENTION =
      downcall(
          FunctionDescriptor.of(
              JAVA_INT, ADDRESS, ADDRESS, // plan, call
              ADDRESS, ADDRESS, ADDRESS, // query, key, value
              ADDRESS, ADDRESS, ADDRESS, // bias, alibi_slopes, sinks
              ADDRESS, ADDRESS, ADDRESS, ADDRESS, // cu_seqlens_q, _k, query_lengths, key_lengths
              ADDRESS, ADDRESS, ADDRESS, // out, lse, weights
              ADDRESS, ADDRESS, ADDRESS)); // workspace, scratch, stream

  static final MethodHandle RUN_ATTENTION_BACKWARD =
      downcall(
          FunctionDescriptor.of(
              JAVA_INT, ADDRESS, ADDRESS, // plan, call
              ADDRESS, ADDRESS, ADDRESS, ADDRESS, // dout, query, key, value
              ADDRESS, ADDRESS, // out, lse
              ADDRESS, ADDRESS, ADDRESS, // bias, alibi_slopes, sinks
              ADDRESS, ADDRESS, ADDRESS, ADDRESS, // cu_seqlens_q, _k, query_lengths, key_lengths
              ADDRESS, ADDRESS, ADDRESS, // dquery, dkey, dvalue
              ADDRESS, ADDRESS, ADDRESS, // dbias, dalibi_slopes, dsinks
              ADDRESS, ADDRESS, ADDRESS)); // workspace, scratch, stream

  private Handles() {}

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
