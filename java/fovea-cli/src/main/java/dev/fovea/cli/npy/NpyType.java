package dev.fovea.cli.npy;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The element types of .npy files that are read and written: all little-endian. */
public enum NpyType {
  /** IEEE single. */
  FLOAT32("<f4", 4),
  /** IEEE half. */
  FLOAT16("<f2", 2),
  /** IEEE double. */
  FLOAT64("<f8", 8),
  /** The upper half of a single. NumPy has no such type: this is how ml_dtypes saves it. */
  BFLOAT16("<V2", 2),
  /** Signed 32 bits. */
  INT32("<i4", 4),
  /** Signed 64 bits. */
  INT64("<i8", 8),
  /** A byte, 0 or 1. */
  BOOL("|b1", 1);

  private final String descriptor;
  private final int byteSize;

  NpyType(String descriptor, int byteSize) {
    this.descriptor = descriptor;
    this.byteSize = byteSize;
  }

  /** What stands for it in a header, such as {@code <f4}. */
  public String descriptor() {
    return descriptor;
  }

  /** Bytes of an element. */
  public int byteSize() {
    return byteSize;
  }

  /** The type called {@code descriptor} in a header. */
  static NpyType of(String descriptor) throws NpyException {
    for (NpyType type : values()) {
      if (type.descriptor.equals(descriptor) || descriptor.equals("|V2") && type == BFLOAT16) {
        return type;
      }
    }
    throw new NpyException(reason(descriptor));
  }

  private static String reason(String descriptor) {
    if (descriptor.endsWith("O")) {
      return "it holds pickled Python objects, expected numbers";
    }
    if (descriptor.startsWith(">")) {
      return "it is big-endian ('%s'), expected little-endian: save it by astype('<%s')"
          .formatted(
              NpyDictionary.printable(descriptor),
              NpyDictionary.printable(descriptor.substring(1)));
    }
    String known =
        Arrays.stream(values()).map(NpyType::descriptor).collect(Collectors.joining(", "));
    return "its element type '%s' is not one of %s"
        .formatted(NpyDictionary.printable(descriptor), known);
  }
}
