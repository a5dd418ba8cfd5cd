package dev.fovea.testkit;

import dev.fovea.ffi.Operand;

/** The sizes of a case, by the declaration of its operation. */
@SuppressWarnings("exports") // for the operations in this module
public interface CaseSizes {

  /** Of that size: of one sequence, where they are packed of the longest. */
  long rows(Operand.Size size);

  /** True if sequences lie end to end. */
  default boolean packed() {
    return false;
  }

  /** Rows of that size in all packed sequences; 0 where none are packed. */
  default long total(Operand.Size size) {
    return 0;
  }

  /** Lengths or offsets; null where the case has none. */
  default int[] lengths(Operand operand) {
    return null;
  }
}
