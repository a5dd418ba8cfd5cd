package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.testkit.BackwardOracle.Gradients;
import dev.fovea.testkit.Options.Alibi;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Writes a case to a file that native/tools/replay.cpp runs against the C ABI without a JVM: for
 * sanitizers and profilers.
 *
 * <p>The format, little-endian throughout, nothing aligned, one case after another in a file:
 *
 * <pre>
 * char[8]   "FOVCASE1", or "FOVBACK1" for a backward pass
 * int32     n, then n bytes           description, UTF-8
 * int32     n, then n bytes           fovea_attention_spec of fovea.h, its own size first
 * backward: int32 n, then n bytes     fovea_attention_gradients, its own size first
 * uint64    dropout_seed
 * uint32    dropout_offset
 * the inputs, in the order of the arguments of fovea_run_attention: query, key, value, bias,
 * alibi_slopes, sinks, cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths; or of
 * fovea_run_attention_backward: dout, query, key, value, out, lse, bias and so on:
 *   int32   present: 0 or 1; the rest only if 1
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, then n bytes           the whole buffer, poison included
 * the outputs: out, lse, weights; or dquery, dkey, dvalue, dbias, dalibi_slopes, dsinks:
 *   int32   present: 0 or 1; the rest only if 1
 *   int32   dtype, FOVEA_FLOAT32 ...
 *   uint32  canary: bits that an element which is not to be written keeps, in the low bytes
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, elements of the buffer
 *   backward: int32 present, then the whole buffer as it is before the call; else all canary
 *   uint8   state[n]                  0 must keep the canary, 1 compare, 2 free
 *   float64 (expected, allowed absolute error) for every element of state 1, in order;
 *           NaN is met by NaN only, an infinity by itself only
 *   float64 allowed root mean square error over the finite elements of state 1, may be infinite
 * </pre>
 */
public final class CaseFile {

  /** sizeof(fovea_attention_spec). */
  static final int SPEC_BYTES = 344;

  /** sizeof(fovea_attention_gradients). */
  static final int GRADIENTS_BYTES = 168;

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
    head("FOVCASE1", c);
    block(spec(c));
    dropout(c.options());
    rows(c, data);
    optional(c, data);
    output(c.layouts().out(), expected.out());
    output(c.layouts().lse(), expected.lse());
    output(c.layouts().weights(), expected.weights());
  }

  private void write(BackwardCase backward, Precision precision) throws IOException {
    AttentionCase c = backward.forward();
    BackwardCase.Layouts layouts = backward.layouts();
    BackwardOperands data = BackwardOperands.of(backward);
    Gradients expected = BackwardOracle.run(backward, data, precision);
    DType outType = c.options().outDType();
    head("FOVBACK1", backward);
    block(spec(c));
    block(gradients(backward));
    dropout(c.options());
    operand(layouts.dout(), outType, data.dout());
    rows(c, data.forward());
    operand(c.layouts().out(), outType, data.out());
    operand(c.layouts().lse(), DType.FLOAT32, data.lse());
    optional(c, data.forward());
    gradient(layouts.dquery(), expected.dquery(), null);
    gradient(layouts.dkey(), expected.dkey(), data.dkey());
    gradient(layouts.dvalue(), expected.dvalue(), data.dvalue());
    gradient(layouts.dbias(), expected.dbias(), null);
    gradient(layouts.dalibi(), expected.dalibi(), null);
    gradient(Layout.dense(1, 1, 1, c.geometry().queryHeads()), expected.dsinks(), null);
  }

  private void head(String magic, CheckedCase c) throws IOException {
    bytes(magic.getBytes(StandardCharsets.US_ASCII));
    block((c.repeat() + " " + c).getBytes(StandardCharsets.UTF_8));
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
    Geometry g = c.geometry();
    Options o = c.options();
    ByteBuffer s = ByteBuffer.allocate(SPEC_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    s.putInt(SPEC_BYTES).putInt(dtype(o.dtype())).putInt(dtype(o.outDType()));
    s.putInt(o.hasBias() ? dtype(o.biasDType()) : 0);
    s.putInt(flag(g.packed())).putInt(flag(o.causal())).putInt(flag(o.topLeft()));
    s.putInt(flag(o.windowLeft() >= 0)).putInt(flag(o.windowRight() >= 0));
    s.putInt(flag(o.scale() != null)).putInt(flag(o.alibi() != Alibi.NONE));
    s.putInt(flag(o.sinks()));
    s.putInt(flag(!g.packed() && g.queryLengths() != null));
    s.putInt(flag(g.hasKeyLengths()));
    s.putInt(flag(o.lse())).putInt(flag(o.weights()));
    s.putFloat(o.scale() == null ? 0 : o.scale()).putFloat(o.softcap()).putFloat(o.dropout());
    s.putInt(flag(o.allowTf32()));
    s.putLong(Math.max(0, o.windowLeft())).putLong(Math.max(0, o.windowRight()));
    s.putLong(g.batch()).putLong(g.queryLength()).putLong(g.keyLength());
    s.putLong(g.packed() ? g.queryRows() : 0).putLong(g.packed() ? g.keyRows() : 0);
    s.putLong(g.queryHeads()).putLong(g.keyHeads()).putLong(g.headDim()).putLong(g.valueHeadDim());
    strides(s, c.layouts().query(), 3);
    strides(s, c.layouts().key(), 3);
    strides(s, c.layouts().value(), 3);
    strides(s, c.layouts().out(), 3);
    strides(s, c.layouts().lse(), 2);
    broadcastStrides(s, c.layouts().bias(), 3, g.packed());
    strides(s, c.layouts().weights(), 3);
    broadcastStrides(s, c.layouts().alibi(), 2, false);
    return full(s);
  }

  /** The struct of fovea.h for what a backward case adds. */
  static byte[] gradients(BackwardCase c) {
    BackwardCase.Layouts layouts = c.layouts();
    boolean packed = c.forward().geometry().packed();
    ByteBuffer s = ByteBuffer.allocate(GRADIENTS_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    s.putInt(GRADIENTS_BYTES).putInt(dtype(c.dtype()));
    s.putInt(flag(c.deterministic())).putInt(flag(c.accumulate()));
    s.putInt(flag(layouts.dbias() != null)).putInt(flag(layouts.dalibi() != null));
    s.putInt(flag(c.dsinks())).putInt(0);
    strides(s, layouts.dout(), 3);
    strides(s, layouts.dquery(), 3);
    strides(s, layouts.dkey(), 3);
    strides(s, layouts.dvalue(), 3);
    broadcastStrides(s, layouts.dbias(), 3, packed);
    broadcastStrides(s, layouts.dalibi(), 2, false);
    return full(s);
  }

  private static byte[] full(ByteBuffer struct) {
    if (struct.hasRemaining()) {
      throw new AssertionError(struct.remaining() + " bytes of a struct are not set");
    }
    return struct.array();
  }

  private static void strides(ByteBuffer s, Layout layout, int count) {
    for (int i = 0; i < count; i++) {
      s.putLong(layout == null ? 0 : layout.stride()[i]);
    }
  }

  /** In the C ABI a dimension of one element is broadcast by its stride of 0. */
  private static void broadcastStrides(ByteBuffer s, Layout layout, int count, boolean packed) {
    for (int i = 0; i < count; i++) {
      boolean single = layout == null || layout.size()[i] == 1 || packed && i == 0;
      s.putLong(single ? 0 : layout.stride()[i]);
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

  private void output(Layout layout, Expected expected) throws IOException {
    if (outputHead(layout, expected)) {
      expectation(expected);
    }
  }

  private void gradient(Layout layout, Expected expected, float[] before) throws IOException {
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
