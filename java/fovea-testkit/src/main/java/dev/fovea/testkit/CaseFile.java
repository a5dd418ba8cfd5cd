package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.testkit.Options.Alibi;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes a case to a file that native/tools/replay.cpp runs against the C ABI without a JVM: for
 * sanitizers and profilers.
 *
 * <p>The format, little-endian throughout, nothing aligned, one case after another in a file:
 *
 * <pre>
 * char[8]   "FOVCASE1"
 * int32     n, then n bytes           description, UTF-8
 * int32     n, then n bytes           fovea_attention_spec of fovea.h, its own size first
 * uint64    dropout_seed
 * uint32    dropout_offset
 * 10 operands, in the order of fovea_run_attention's arguments: query, key, value, bias,
 * alibi_slopes, sinks, cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths:
 *   int32   present: 0 or 1; the rest only if 1
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, then n bytes           the whole buffer, poison included
 * 3 outputs: out, lse, weights:
 *   int32   present: 0 or 1; the rest only if 1
 *   int32   dtype, FOVEA_FLOAT32 ...
 *   uint32  canary: bits of every element before the call, in the low bytes
 *   int64   byte offset of element 0 in the buffer
 *   int64   n, elements of the buffer
 *   uint8   state[n]                  0 must keep the canary, 1 compare, 2 free
 *   float64 (expected, allowed absolute error) for every element of state 1, in order;
 *           NaN is met by NaN only, an infinity by itself only
 *   float64 allowed root mean square error over the finite elements of state 1, may be infinite
 * </pre>
 */
public final class CaseFile {

  /** sizeof(fovea_attention_spec). */
  static final int SPEC_BYTES = 344;

  private static final int BUFFER = 1 << 16;

  private final OutputStream out;
  private final ByteBuffer pending = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);

  private CaseFile(OutputStream out) {
    this.out = out;
  }

  /** Writes one case, with outputs as a device of that precision is held to them. */
  public static void write(Path path, AttentionCase c, Precision precision) throws IOException {
    try (OutputStream stream = new BufferedOutputStream(Files.newOutputStream(path))) {
      write(stream, c, precision);
    }
  }

  /** Appends one case to a stream. */
  public static void write(OutputStream stream, AttentionCase c, Precision precision)
      throws IOException {
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, precision);
    CaseFile file = new CaseFile(stream);
    file.write(c, data);
    file.output(c.layouts().out(), expected.out());
    file.output(c.layouts().lse(), expected.lse());
    file.output(c.layouts().weights(), expected.weights());
    file.flush();
  }

  private void write(AttentionCase c, Operands data) throws IOException {
    Geometry g = c.geometry();
    Options o = c.options();
    bytes("FOVCASE1".getBytes(StandardCharsets.US_ASCII));
    byte[] description = (c.repeat() + " " + c).getBytes(StandardCharsets.UTF_8);
    i32(description.length);
    bytes(description);
    byte[] spec = spec(c);
    i32(spec.length);
    bytes(spec);
    i64(o.seed());
    i32(o.offset());
    operand(c.layouts().query(), o.dtype(), data.query());
    operand(c.layouts().key(), o.dtype(), data.key());
    operand(c.layouts().value(), o.dtype(), data.value());
    operand(c.layouts().bias(), o.biasDType(), data.bias());
    operand(c.layouts().alibi(), DType.FLOAT32, data.alibi());
    operand(Layout.dense(1, 1, 1, g.queryHeads()), DType.FLOAT32, data.sinks());
    ints(g.packed() ? g.cuQ() : null);
    ints(g.packed() ? g.cuK() : null);
    ints(g.packed() ? null : g.queryLengths());
    ints(g.packed() ? null : g.keyLengths());
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
    s.putInt(flag(!g.packed() && g.keyLengths() != null));
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
    if (s.hasRemaining()) {
      throw new AssertionError(s.remaining() + " bytes of the spec are not set");
    }
    return s.array();
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
      if (size == 2) {
        room(2).putShort((short) Rounding.bits(type, value));
      } else {
        i32(Rounding.bits(type, value));
      }
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
    i32(flag(expected != null));
    if (expected == null) {
      return;
    }
    i32(dtype(expected.dtype()));
    i32(Rounding.canary(expected.dtype()));
    i64(layout.isEmpty() ? 0 : layout.offset() * Rounding.bytes(expected.dtype()));
    i64(expected.elements());
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
