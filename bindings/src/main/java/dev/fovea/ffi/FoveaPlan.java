package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * {@code fovea_plan}: what the planner decided; plain data, free to copy. Fields as in {@code
 * fovea.h}.
 */
public final class FoveaPlan {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("abi_version"),
              ValueLayout.JAVA_INT.withName("operation"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("device_kind"),
              ValueLayout.JAVA_INT.withName("isa"),
              ValueLayout.JAVA_INT.withName("variant"),
              ValueLayout.JAVA_INT.withName("phases"),
              ValueLayout.JAVA_INT.withName("tile_queries"),
              ValueLayout.JAVA_INT.withName("tile_keys"),
              ValueLayout.JAVA_LONG.withName("needed"),
              ValueLayout.JAVA_LONG.withName("allowed"),
              MemoryLayout.sequenceLayout(Abi.MAX_PHASES, ValueLayout.JAVA_LONG).withName("items"),
              ValueLayout.JAVA_LONG.withName("workspace_bytes"),
              ValueLayout.JAVA_LONG.withName("scratch_bytes"),
              ValueLayout.JAVA_LONG.withName("section"),
              ValueLayout.JAVA_DOUBLE.withName("flops"),
              MemoryLayout.sequenceLayout(120, ValueLayout.JAVA_BYTE).withName("kernel"),
              MemoryLayout.sequenceLayout(Abi.SPEC_WORDS, ValueLayout.JAVA_LONG).withName("spec"),
              ValueLayout.JAVA_LONG.withName("seal"),
              MemoryLayout.sequenceLayout(Abi.ERROR_LENGTH, ValueLayout.JAVA_BYTE)
                  .withName("error"))
          .withName("fovea_plan");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 ABI_VERSION = Field.Int32.of(LAYOUT, "abi_version");
  public static final Field.Int32 OPERATION = Field.Int32.of(LAYOUT, "operation");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DEVICE_KIND = Field.Int32.of(LAYOUT, "device_kind");
  public static final Field.Int32 ISA = Field.Int32.of(LAYOUT, "isa");
  public static final Field.Int32 VARIANT = Field.Int32.of(LAYOUT, "variant");
  public static final Field.Int32 PHASES = Field.Int32.of(LAYOUT, "phases");
  public static final Field.Int32 TILE_QUERIES = Field.Int32.of(LAYOUT, "tile_queries");
  public static final Field.Int32 TILE_KEYS = Field.Int32.of(LAYOUT, "tile_keys");
  public static final Field.Int64 NEEDED = Field.Int64.of(LAYOUT, "needed");
  public static final Field.Int64 ALLOWED = Field.Int64.of(LAYOUT, "allowed");
  public static final Field.Int64Array ITEMS = Field.Int64Array.of(LAYOUT, "items");
  public static final Field.Int64 WORKSPACE_BYTES = Field.Int64.of(LAYOUT, "workspace_bytes");
  public static final Field.Int64 SCRATCH_BYTES = Field.Int64.of(LAYOUT, "scratch_bytes");
  public static final Field.Int64 SECTION = Field.Int64.of(LAYOUT, "section");
  public static final Field.Float64 FLOPS = Field.Float64.of(LAYOUT, "flops");
  public static final Field.Text KERNEL = Field.Text.of(LAYOUT, "kernel");
  public static final Field.Struct SPEC = Field.Struct.of(LAYOUT, "spec");
  public static final Field.Int64 SEAL = Field.Int64.of(LAYOUT, "seal");
  public static final Field.Text ERROR = Field.Text.of(LAYOUT, "error");

  private FoveaPlan() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}
