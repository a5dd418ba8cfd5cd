package dev.fovea;

import dev.fovea.ffi.FoveaAppendSpec;
import dev.fovea.ffi.NativeAppend;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Appends keys and values of new tokens to a cache, rotated and quantized on the way, in one pass
 * over them: how, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>Row s of sequence b becomes row starts[b] + s of the cache of that sequence, which is one
 * tensor [B, Sk, Hk, D] or lies in {@linkplain CacheAppendCall#pages pages}, as attention reads it.
 * What else the cache holds keeps every byte. There are no gradients.
 *
 * <p>Keys are rotated where a call has {@linkplain CacheAppendCall#rotary tables}, as by {@link
 * RotaryEmbedding}, by their place in the cache unless positions say otherwise.
 *
 * <p>A cache of a floating type has x rounded to nearest. In one of {@link DType#INT8}, {@link
 * DType#INT4X2} or {@link DType#FLOAT8_E4M3} an element is q with x near scale * q, where with M =
 * 127, 7 or 448
 *
 * <pre>
 *   q = round(clamp(x * (1 / scale), -M, M)), 0 where scale is 0
 * </pre>
 *
 * <p>and the scale is 1 in a call without {@linkplain CacheAppendCall#scales scales}, else
 *
 * <ul>
 *   <li>for each row and head, a / M of its largest magnitude a. But for roundings of float32 an
 *       element of an integer type errs by at most scale / 2, one of {@link DType#FLOAT8_E4M3} by
 *       |x| / 16 or scale / 1024, which is larger.
 *   <li>for all rows of a page, or of a sequence without pages, the least power of two that is no
 *       less than a / M of all that were appended since the first row of the page. Where new rows
 *       need a larger one, the rows before them are rounded again to multiples of it. An element of
 *       an integer type errs by less than the last scale, whatever came between; one of {@link
 *       DType#FLOAT8_E4M3} by less than |x| / 16 + scale / 512.
 * </ul>
 *
 * <p>A row, or page, with a NaN or an infinity has a scale of NaN, and reads as NaN. Rows of zeros
 * have a scale of 0. Scales are at least 2^-126 otherwise: what is smaller loses digits.
 *
 * <p>All arithmetic is float32 in a fixed order of roundings, so that a cache has the same bytes on
 * every device, and whether rows came in one call or in several, but for the rounding of a page
 * whose scale grew.
 *
 * {@snippet :
 * CacheAppend append = CacheAppend.create();
 * CacheAppendCall step = append.call(key, starts, keyCache).value(value, valueCache)
 *     .pages(table, longest).rotary(tables);
 * step.run(); // once starts and table have what is to be appended to
 * attention.call(query, keyCache, valueCache).pages(table, longest).keyLengths(lengths).out(out).run();
 * }
 *
 * <p>Sources: Kwon et al., Efficient memory management for large language model serving with
 * PagedAttention, 2023, arXiv 2309.06180; Su et al., RoFormer, 2021, arXiv 2104.09864; Micikevicius
 * et al., FP8 formats for deep learning, 2022, arXiv 2209.05433.
 */
public final class CacheAppend {
  /** The fields of a {@link CacheAppend}; a record for its equals and hashCode. */
  record Options(boolean interleaved) implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeAppend.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      FoveaAppendSpec.INTERLEAVED.set(spec, interleaved ? 1 : 0);
    }

    @Override
    public DType outDType() {
      return null;
    }

    @Override
    public String toString() {
      return "CacheAppend[%s]".formatted(interleaved ? "interleaved" : "half-split");
    }
  }

  private final Options options;

  private CacheAppend(Options options) {
    this.options = options;
  }

  /** Pairs that are rotated together, if any are, are elements c and c + C of a key. */
  public static CacheAppend create() {
    return new CacheAppend(new Options(false));
  }

  /** The same with pairs of elements 2c and 2c + 1, for calls with tables. */
  public CacheAppend interleaved() {
    return new CacheAppend(new Options(true));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension. Nothing is checked
   * before the call is planned or run.
   *
   * @param key the new rows, [B, S, Hk, D]; {@linkplain CacheAppendCall#cuSeqlens packed} [Tn, Hk,
   *     D]
   * @param starts how many rows of each sequence are in the cache before, [B] {@link DType#INT32}
   * @param keyCache where they go, [B, Sk, Hk, D] of a floating type or one of caches; in {@link
   *     DType#INT4X2} D / 2 elements
   */
  public CacheAppendCall call(Tensor key, Tensor starts, Tensor keyCache) {
    return new CacheAppendCall(this, key, starts, keyCache, new RunMemory());
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CacheAppend that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(CacheAppend.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
