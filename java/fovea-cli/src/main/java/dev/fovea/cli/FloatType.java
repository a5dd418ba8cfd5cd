package dev.fovea.cli;

import dev.fovea.DType;
import java.util.Locale;
import java.util.Set;
import picocli.CommandLine.TypeConversionException;

/** Element types that attention computes on, as the command line spells them. */
enum FloatType {
  FLOAT32(DType.FLOAT32, "fp32", "f32"),
  FLOAT16(DType.FLOAT16, "fp16", "f16", "half"),
  BFLOAT16(DType.BFLOAT16, "bf16");

  private final DType dtype;
  private final Set<String> others;

  FloatType(DType dtype, String... others) {
    this.dtype = dtype;
    this.others = Set.of(others);
  }

  DType dtype() {
    return dtype;
  }

  /** The type of that name, or of one that is common elsewhere; case does not count. */
  static FloatType of(String text) {
    String name = text.toLowerCase(Locale.ROOT);
    for (FloatType type : values()) {
      if (type.toString().equals(name) || type.others.contains(name)) {
        return type;
      }
    }
    throw new TypeConversionException(
        "'" + text + "' is not float32 (or fp32), float16 (fp16) or bfloat16 (bf16)");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
