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

  MaskOptions masks();
}
