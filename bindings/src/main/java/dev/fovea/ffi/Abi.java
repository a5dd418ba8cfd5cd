package dev.fovea.ffi;

/** The constants of {@code fovea.h}, under their C names less the prefix {@code FOVEA_}. */
public final class Abi {
  /** {@code FOVEA_ABI_VERSION} these bindings were written for. */
  public static final int VERSION = 23;

  public static final int ERROR_LENGTH = 512;
  public static final int MAX_PHASES = 6;

  /** An operation's spec in a plan has so many words of eight bytes. */
  public static final int SPEC_WORDS = 192;

  /** Workspace and scratch are aligned to this many bytes. */
  public static final int ALIGNMENT = 64;

  public static final int OK = 0;
  public static final int INVALID_ARGUMENT = 1;
  public static final int UNSUPPORTED = 2;
  public static final int DEVICE_ERROR = 3;
  public static final int DEVICE_LOST = 4;

  public static final int FLOAT32 = 1;
  public static final int FLOAT16 = 2;
  public static final int BFLOAT16 = 3;
  public static final int INT8 = 4;
  public static final int INT4X2 = 5;
  public static final int FLOAT8_E4M3 = 6;

  public static final int FORWARD = 0;
  public static final int BACKWARD = 1;

  public static final int DEVICE_CPU = 1;
  public static final int DEVICE_CUDA = 2;

  public static final int ISA_PORTABLE = 1;
  public static final int ISA_AVX2 = 2;
  public static final int ISA_AVX512 = 3;
  public static final int ISA_AVX512_BF16 = 4;
  public static final int ISA_AMX = 5;
  public static final int ISA_NEON = 6;

  public static final int BOTTOM_RIGHT = 0;
  public static final int TOP_LEFT = 1;

  public static final int LOCAL_LINEAR = 1;

  public static final int SGD = 0;
  public static final int ADAMW = 1;
  public static final int LION = 2;

  private Abi() {}
}
