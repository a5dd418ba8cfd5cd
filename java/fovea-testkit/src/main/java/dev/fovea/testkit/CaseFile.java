package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.testkit.BackwardOracle.Gradients;
import dev.fovea.testkit.Options.Alibi;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * Writes a case to a file that native/tools/replay.cpp runs against the C ABI without a JVM: for
 * sanitizers and profilers.
 *
 * <p>The format, little-endian throughout, nothing aligned, one case after another in a file:
 *
 * <pre>
 * char[8]   "FOVCASE2"
 * int32     the operation, as fovea_plan numbers it
 * int32     n, then n bytes           description, UTF-8
 * int32     n, then n bytes           its spec of fovea.h, its own size first
 * uint64    dropout_seed
 * uint32    dropout_offset
 * what the pass of the spec reads, in the order of arguments:
 *   int32   present: 0 or 1; the rest only if 1
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, then n bytes           the whole buffer, poison included
 * what it writes:
 *   int32   present: 0 or 1; the rest only if 1
 *   int32   dtype, FOVEA_FLOAT32 ...
 *   uint32  canary: bits that an element which is not to be written keeps, in the low bytes
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, elements of the buffer
 *   int32   1 = the whole buffer follows as it is before the call; 0 = all canary
 *   uint8   state[n]                  0 must keep the canary, 1 compare, 2 free
 *   float64 (expected, allowed absolute error) for every element of state 1, in order;
 *           NaN is met by NaN only, an infinity by itself only
 *   float64 allowed root mean square error over the finite elements of state 1, may be infinite
 * </pre>
 */
public final class CaseFile {

  private static final int BUFFER = 1 << 16;

  private final OutputStream out;
  private final ByteBuffer pending = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);

  private CaseFile(OutputStream out) {
    this.out = out;
  }

  /**
   * Writes one case, with outputs as a device of that precision is held to them. The file appears
   * whole or not at all.
   *
   * @throws IOException if it cannot be written; a file that was there is as it was
   */
  public static void write(Path path, CheckedCase c, Precision precision) throws IOException {
    try (WholeFile file = WholeFile.begin(path)) {
      OutputStream stream = new BufferedOutputStream(Channels.newOutputStream(file.channel()));
      write(stream, c, precision);
      stream.flush();
      file.move();
    }
  }

  /** Appends one case to a stream. */
  public static void write(OutputStream stream, CheckedCase c, Precision precision)
      throws IOException {
    CaseFile file = new CaseFile(stream);
    switch (c) {
      case AttentionCase forward -> file.write(forward, precision);
      case BackwardCase backward -> file.write(backward, precision);
    }
    file.flush();
  }

  private void write(AttentionCase c, Precision precision) throws IOException {
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, precision);
    head(c, spec(c));
    dropout(c.options());
    rows(c, data);
    optional(c, data);
    output(c.layouts().out(), expected.out(), null);
    output(c.layouts().lse(), expected.lse(), null);
    output(c.layouts().weights(), expected.weights(), null);
  }

  private void write(BackwardCase backward, Precision precision) throws IOException {
    AttentionCase c = backward.forward();
    BackwardCase.Layouts layouts = backward.layouts();
    BackwardOperands data = BackwardOperands.of(backward);
    Gradients expected = BackwardOracle.run(backward, data, precision);
    DType outType = c.options().outDType();
    head(backward, spec(backward));
    dropout(c.options());
    rows(c, data.forward());
    optional(c, data.forward());
    operand(layouts.dout(), outType, data.dout());
    operand(c.layouts().out(), outType, data.out());
    operand(c.layouts().lse(), DType.FLOAT32, data.lse());
    output(layouts.dquery(), expected.dquery(), null);
    output(layouts.dkey(), expected.dkey(), data.dkey());
    output(layouts.dvalue(), expected.dvalue(), data.dvalue());
    output(layouts.dbias(), expected.dbias(), null);
    output(layouts.dalibi(), expected.dalibi(), null);
    output(Layout.dense(1, 1, 1, c.geometry().queryHeads()), expected.dsinks(), null);
  }

  private void head(CheckedCase c, byte[] spec) throws IOException {
    bytes("FOVCASE2".getBytes(StandardCharsets.US_ASCII));
    i32(NativeAttention.OPERATION.id());
    block((c.repeat() + " " + c).getBytes(StandardCharsets.UTF_8));
    block(spec);
  }

  private void block(byte[] values) throws IOException {
    i32(values.length);
    bytes(values);
  }

  private void dropout(Options o) throws IOException {
    i64(o.seed());
    i32(o.offset());
  }

  private void rows(AttentionCase c, Operands data) throws IOException {
    DType type = c.options().dtype();
    operand(c.layouts().query(), type, data.query());
    operand(c.layouts().key(), type, data.key());
    operand(c.layouts().value(), type, data.value());
  }

  private void optional(AttentionCase c, Operands data) throws IOException {
    Geometry g = c.geometry();
    operand(c.layouts().bias(), c.options().biasDType(), data.bias());
    operand(c.layouts().alibi(), DType.FLOAT32, data.alibi());
    operand(Layout.dense(1, 1, 1, g.queryHeads()), DType.FLOAT32, data.sinks());
    ints(g.packed() ? g.cuQ() : null);
    ints(g.packed() ? g.cuK() : null);
    ints(g.packed() ? null : g.queryLengths());
    ints(g.hasKeyLengths() ? g.keyLengths() : null);
  }

  /** The struct of fovea.h for a case. */
  static byte[] spec(AttentionCase c) {
    return bytes(c, spec -> {});
  }

  /** The struct of fovea.h for a backward case. */
  static byte[] spec(BackwardCase c) {
    BackwardCase.Layouts layouts = c.layouts();
    boolean packed = c.forward().geometry().packed();
    return bytes(
        c.forward(),
        spec -> {
          FoveaAttentionSpec.PASS.set(spec, Abi.BACKWARD);
          FoveaAttentionSpec.GRADIENT_DTYPE.set(spec, dtype(c.dtype()));
          FoveaAttentionSpec.DETERMINISTIC.set(spec, flag(c.deterministic()));
          FoveaAttentionSpec.ACCUMULATE.set(spec, flag(c.accumulate()));
          FoveaAttentionSpec.HAS_DBIAS.set(spec, flag(layouts.dbias() != null));
          FoveaAttentionSpec.HAS_DALIBI_SLOPES.set(spec, flag(layouts.dalibi() != null));
          FoveaAttentionSpec.HAS_DSINKS.set(spec, flag(c.dsinks()));
          strides(spec, FoveaAttentionSpec.DOUT_STRIDE, layouts.dout());
          strides(spec, FoveaAttentionSpec.DQUERY_STRIDE, layouts.dquery());
          strides(spec, FoveaAttentionSpec.DKEY_STRIDE, layouts.dkey());
          strides(spec, FoveaAttentionSpec.DVALUE_STRIDE, layouts.dvalue());
          sums(spec, FoveaAttentionSpec.DBIAS_STRIDE, layouts.dbias(), packed);
          sums(spec, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, layouts.dalibi(), false);
        });
  }

  private static byte[] bytes(AttentionCase c, Consumer<MemorySegment> more) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      fill(spec, c);
      more.accept(spec);
      return spec.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private static void fill(MemorySegment spec, AttentionCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    FoveaAttentionSpec.DTYPE.set(spec, dtype(o.dtype()));
    FoveaAttentionSpec.OUT_DTYPE.set(spec, dtype(o.outDType()));
    FoveaAttentionSpec.BIAS_DTYPE.set(spec, o.hasBias() ? dtype(o.biasDType()) : 0);
    FoveaAttentionSpec.PACKED.set(spec, flag(g.packed()));
    FoveaAttentionSpec.CAUSAL.set(spec, flag(o.causal()));
    FoveaAttentionSpec.ALIGNMENT.set(spec, flag(o.topLeft()));
    FoveaAttentionSpec.HAS_WINDOW_LEFT.set(spec, flag(o.windowLeft() >= 0));
    FoveaAttentionSpec.HAS_WINDOW_RIGHT.set(spec, flag(o.windowRight() >= 0));
    FoveaAttentionSpec.HAS_SCALE.set(spec, flag(o.scale() != null));
    FoveaAttentionSpec.HAS_ALIBI_SLOPES.set(spec, flag(o.alibi() != Alibi.NONE));
    FoveaAttentionSpec.HAS_SINKS.set(spec, flag(o.sinks()));
    FoveaAttentionSpec.HAS_QUERY_LENGTHS.set(spec, flag(!g.packed() && g.queryLengths() != null));
    FoveaAttentionSpec.HAS_KEY_LENGTHS.set(spec, flag(g.hasKeyLengths()));
    FoveaAttentionSpec.HAS_LSE.set(spec, flag(o.lse()));
    FoveaAttentionSpec.HAS_WEIGHTS.set(spec, flag(o.weights()));
    FoveaAttentionSpec.SCALE.set(spec, o.scale() == null ? 0 : o.scale());
    FoveaAttentionSpec.SOFTCAP.set(spec, o.softcap());
    FoveaAttentionSpec.DROPOUT.set(spec, o.dropout());
    FoveaAttentionSpec.ALLOW_TF32.set(spec, flag(o.allowTf32()));
    FoveaAttentionSpec.WINDOW_LEFT.set(spec, Math.max(0, o.windowLeft()));
    FoveaAttentionSpec.WINDOW_RIGHT.set(spec, Math.max(0, o.windowRight()));
    FoveaAttentionSpec.BATCH.set(spec, g.batch());
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, g.queryLength());
    FoveaAttentionSpec.KEY_LENGTH.set(spec, g.keyLength());
    FoveaAttentionSpec.QUERY_TOTAL.set(spec, g.packed() ? g.queryRows() : 0);
    FoveaAttentionSpec.KEY_TOTAL.set(spec, g.packed() ? g.keyRows() : 0);
    FoveaAttentionSpec.QUERY_HEADS.set(spec, g.queryHeads());
    FoveaAttentionSpec.KEY_HEADS.set(spec, g.keyHeads());
    FoveaAttentionSpec.HEAD_DIM.set(spec, g.headDim());
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, g.valueHeadDim());
    AttentionCase.Layouts layouts = c.layouts();
    strides(spec, FoveaAttentionSpec.QUERY_STRIDE, layouts.query());
    strides(spec, FoveaAttentionSpec.KEY_STRIDE, layouts.key());
    strides(spec, FoveaAttentionSpec.VALUE_STRIDE, layouts.value());
    strides(spec, FoveaAttentionSpec.OUT_STRIDE, layouts.out());
    strides(spec, FoveaAttentionSpec.LSE_STRIDE, layouts.lse());
    sums(spec, FoveaAttentionSpec.BIAS_STRIDE, layouts.bias(), g.packed());
    strides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, layouts.weights());
    sums(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, layouts.alibi(), false);
  }

  private static void strides(MemorySegment spec, Field.Int64Array field, Layout layout) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      field.set(spec, i, layout.stride()[i]);
    }
  }

  /** In the C ABI a dimension of one element for all, or summed over, has a stride of 0. */
  private static void sums(
      MemorySegment spec, Field.Int64Array field, Layout layout, boolean packed) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      boolean single = layout.size()[i] == 1 || packed && i == 0;
      field.set(spec, i, single ? 0 : layout.stride()[i]);
    }
  }

  private static int flag(boolean set) {
    return set ? 1 : 0;
  }

  private static int dtype(DType type) {
    return switch (type) {
      case FLOAT32 -> 1;
      case FLOAT16 -> 2;
      case BFLOAT16 -> 3;
      case INT32 -> throw new IllegalArgumentException("INT32 is no type of a spec");
    };
  }

  private void operand(Layout layout, DType type, float[] values) throws IOException {
    i32(flag(values != null));
    if (values == null) {
      return;
    }
    int size = Rounding.bytes(type);
    i64(layout.isEmpty() ? 0 : layout.offset() * size);
    i64((long) values.length * size);
    for (float value : values) {
      element(size, Rounding.bits(type, value));
    }
  }

  private void element(int size, int bits) throws IOException {
    if (size == 2) {
      room(2).putShort((short) bits);
    } else {
      i32(bits);
    }
  }

  private void ints(int[] values) throws IOException {
    i32(flag(values != null));
    if (values == null) {
      return;
    }
    i64(0);
    i64(4L * values.length);
    for (int value : values) {
      i32(value);
    }
  }

  private void output(Layout layout, Expected expected, float[] before) throws IOException {
    if (!outputHead(layout, expected)) {
      return;
    }
    DType type = expected.dtype();
    i32(flag(before != null));
    for (int i = 0; before != null && i < before.length; i++) {
      boolean canary = Float.isNaN(before[i]);
      element(
          Rounding.bytes(type), canary ? Rounding.canary(type) : Rounding.bits(type, before[i]));
    }
    expectation(expected);
  }

  private boolean outputHead(Layout layout, Expected expected) throws IOException {
    i32(flag(expected != null));
    if (expected == null) {
      return false;
    }
    i32(dtype(expected.dtype()));
    i32(Rounding.canary(expected.dtype()));
    i64(layout.isEmpty() ? 0 : layout.offset() * Rounding.bytes(expected.dtype()));
    i64(expected.elements());
    return true;
  }

  private void expectation(Expected expected) throws IOException {
    for (int i = 0; i < expected.elements(); i++) {
      room(1).put(expected.state(i));
    }
    for (int i = 0; i < expected.elements(); i++) {
      if (expected.state(i) == Expected.COMPARE) {
        room(16).putDouble(expected.value(i)).putDouble(expected.allowed(i));
      }
    }
    room(8).putDouble(expected.allowedRmse());
  }

  private void i32(int value) throws IOException {
    room(4).putInt(value);
  }

  private void i64(long value) throws IOException {
    room(8).putLong(value);
  }

  private void bytes(byte[] values) throws IOException {
    flush();
    out.write(values);
  }

  private ByteBuffer room(int bytes) throws IOException {
    if (pending.remaining() < bytes) {
      flush();
    }
    return pending;
  }

  private void flush() throws IOException {
    out.write(pending.array(), 0, pending.position());
    pending.clear();
  }
}
