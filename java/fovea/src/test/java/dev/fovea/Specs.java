package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.NativeAttention;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Blocks as the planner gets them. */
final class Specs {
  private static final Attention.Options PLAIN = Attention.create().options();

  private Specs() {}

  static MemorySegment forward(Bindings operands) {
    return forward(PLAIN, operands);
  }

  static MemorySegment forward(Attention.Options options, Bindings operands) {
    return of(options, operands, Abi.FORWARD);
  }

  static MemorySegment backward(Bindings operands) {
    return of(PLAIN, operands, Abi.BACKWARD);
  }

  private static MemorySegment of(Attention.Options options, Bindings operands, int pass) {
    PassOperands all = operands.of(pass);
    all.check();
    MemorySegment spec = NativeAttention.OPERATION.allocateSpec(Arena.ofAuto());
    SpecFiller.fill(all, options, spec);
    return spec;
  }

  static MemorySegment of(AttentionShape shape) {
    return of(Attention.create(), shape);
  }

  static MemorySegment of(Attention attention, AttentionShape shape) {
    MemorySegment spec = NativeAttention.OPERATION.allocateSpec(Arena.ofAuto());
    shape.fill(spec);
    attention.options().fill(spec);
    return spec;
  }

  /** Byte for byte. */
  static void assertSame(AttentionShape expected, MemorySegment spec) {
    long at = of(expected).mismatch(spec);
    assertEquals(-1, at, () -> expected + ": " + at(of(expected), at) + ", but " + at(spec, at));
  }

  private static String at(MemorySegment spec, long offset) {
    return "byte " + offset + " is " + spec.get(ValueLayout.JAVA_BYTE, offset);
  }

  static void assertStrides(MemorySegment spec, Field.Int64Array field, long... expected) {
    assertEquals(expected.length, field.length());
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], field.get(spec, i), "stride " + i);
    }
  }
}
