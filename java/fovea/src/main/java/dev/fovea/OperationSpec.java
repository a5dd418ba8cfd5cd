package dev.fovea;

import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;

/**
 * What an operation is to compute, beside its operands. Immutable; as text, it is what users set.
 */
interface OperationSpec {
  NativeOperation operation();

  /** Sets the fields of its options, which are zero before. */
  void fill(MemorySegment spec);

  /** Makes what a plan needs beside itself before it is prepared. */
  default void prepare(AttentionPlan plan) {}

  /** Element type of out; null for that of the first operand. */
  DType outDType();

  /** Probability with which something is dropped. */
  default float dropout() {
    return 0;
  }

  /** The mask, for people. */
  default String mask() {
    return "none";
  }
}
