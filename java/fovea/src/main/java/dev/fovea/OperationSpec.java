package dev.fovea;

import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;

/**
 * What an operation is to compute, beside its operands. Immutable; as text, it is what users set.
 */
interface OperationSpec {
  NativeOperation operation();

  /** Fills its options into a zeroed block. */
  void fill(MemorySegment spec);

  /** Element type of out; null for that of query. */
  DType outDType();

  /** The probability that a weight is dropped. */
  float dropout();

  /** Of the mask, for people. */
  String mask();
}
