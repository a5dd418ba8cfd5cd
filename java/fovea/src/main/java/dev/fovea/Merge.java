package dev.fovea;

import dev.fovea.ffi.NativeMerge;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * What attention gave over some sets of keys, merged to what it gives over all of them: of a prefix
 * that many sequences share and what each has of its own (cascade attention), of the keys that each
 * of several devices holds (context parallelism), or of pieces of one long sequence. What to
 * compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With outs [P, B, Sq, Hq, Dv] and lses [P, B, Hq, Sq] of P sets of keys that share none, for
 * each row:
 *
 * <pre>
 *   lse = ln(sum_p exp(lse_p) + exp(sink))     the sink if given
 *   out = sum_p exp(lse_p - lse) out_p
 * </pre>
 *
 * <p>The parts have no sinks: those belong to the whole, and the merge adds them. A part whose lse
 * is -infinity, as that of a row which sees none of its keys, adds nothing, and its out is not
 * read; nor is that of a part more than 88 below the largest. A row with no other part gives 0, and
 * -infinity or its sink as lse. An lse of +infinity or NaN gives NaN for its row and reaches no
 * other. Arithmetic is float32, parts are added in their order: the same inputs give the same bits
 * for any batch size and any number of threads.
 *
 * {@snippet :
 * Attention attention = Attention.builder().build();
 * long all = batch * length;
 * Tensor outs = scope.allocate(DType.BFLOAT16, 2, batch, length, heads, dim);
 * Tensor lses = scope.allocate(DType.FLOAT32, 2, heads, batch, length);
 * // Over the prefix all sequences are one: a read of its keys serves the queries of all.
 * attention
 *     .call(query.reshape(1, all, heads, dim), prefixKey, prefixValue)
 *     .out(outs.select(0, 0).reshape(1, all, heads, dim))
 *     .lse(lses.select(0, 0).reshape(1, heads, all))
 *     .run();
 * Tensor ofSequences = lses.permute(0, 2, 1, 3);
 * attention.call(query, key, value).out(outs.select(0, 1)).lse(ofSequences.select(0, 1)).run();
 * Tensor out = Merge.create().forward(scope, outs, ofSequences);
 * }
 *
 * <p>Sources: Milakov and Gimelshein, Online normalizer calculation for softmax, 2018, arXiv
 * 1805.02867; Juravsky et al., Hydragen, 2024, arXiv 2402.05099; Ye et al., FlashInfer, 2025, arXiv
 * 2501.01005.
 */
public final class Merge {
  /** The fields of a {@link Merge}; a record for its equals and hashCode. */
  record Options(DType outDType) implements OperationSpec { // null: that of outs
    @Override
    public NativeOperation operation() {
      return NativeMerge.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
    }

    @Override
    public String toString() {
      return outDType == null ? "Merge" : "Merge[out=" + outDType + "]";
    }
  }

  private final Options options;

  private Merge(Options options) {
    this.options = options;
  }

  /** Out in the type of outs. */
  public static Merge create() {
    return new Merge(new Options(null));
  }

  /** The same with out in that floating type: parts in float32 may give bfloat16, say. */
  public Merge outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new Merge(new Options(dtype));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: outs [P, B, Sq, Hq,
   * Dv] and lses [P, B, Hq, Sq] {@link DType#FLOAT32}, natural logarithms as {@link
   * AttentionCall#lse} gives them. Packed sequences are one: [P, 1, Tq, Hq, Dv] and [P, 1, Hq, Tq].
   * Nothing is checked before the call is planned or run.
   */
  public MergeCall call(Tensor outs, Tensor lses) {
    return new MergeCall(this, outs, lses, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}, without sinks.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor outs, Tensor lses) {
    return scope.withMemory(memory -> new MergeCall(this, outs, lses, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Merge that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(Merge.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
