package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link CacheAppend}: {@link CacheAppend#call} takes new keys and where they
 * go, this what else it reads and writes. A run changes the cache where it is. There is no result,
 * and no backward pass.
 *
 * <p>Starts, lengths, positions and tables are read by the run, so that one call, or a graph that
 * it was captured in, takes all steps. The CPU refuses what does not fit before anything is
 * written: the cache is as it was then. A GPU has these numbers in its own memory and cannot report
 * them: it leaves out rows that have no place, writes nothing outside of the cache, and gives NaN
 * for a key at a position that is no row of the tables.
 */
public final class CacheAppendCall extends OperationCall<CacheAppendCall> {
  private final CacheAppend append;

  CacheAppendCall(
      CacheAppend append, Tensor key, Tensor starts, Tensor keyCache, RunMemory memory) {
    super(
        append.options(),
        new Bindings(append.options().operation())
            .set("key", Objects.requireNonNull(key, "key"))
            .set("starts", Objects.requireNonNull(starts, "starts"))
            .set("key_cache", Objects.requireNonNull(keyCache, "keyCache")),
        memory);
    this.append = append;
  }

  /** Other new rows. */
  public CacheAppendCall key(Tensor key) {
    return bind("key", Objects.requireNonNull(key, "key"));
  }

  /**
   * The values of the same tokens, and where they go: [B, S, Hk, Dv], packed [Tn, Hk, Dv], of the
   * type of key; and [B, Sk, Hk, Dv] of the type of the cached keys. Null for none, both or
   * neither: where values are a part of the cached keys, as in multi-head latent attention, there
   * are none.
   */
  public CacheAppendCall value(Tensor value, Tensor valueCache) {
    return bindBoth("value", value, "value_cache", valueCache);
  }

  /**
   * What the cached elements are to be multiplied by, which a run writes for new rows: for each row
   * and head, [B, Sk, Hk], or for all rows of a sequence, [B, 1, Hk]; in pages [G, Z, Hk], or for
   * all rows of a page, [G, 1, Hk]. {@link DType#FLOAT32}. Of pages of one row it is that of a
   * page. For a cache of a type that is no floating one; without it, their scale is 1. Null for
   * none.
   *
   * @param value null too in a call without {@linkplain #value values}
   */
  public CacheAppendCall scales(Tensor key, Tensor value) {
    claim().begin();
    operands().set("key_scales", key).set("value_scales", value);
    return operandBound();
  }

  /**
   * How many rows of each sequence are new, [B], {@link DType#INT32}; what lies behind is padding
   * and never read. Null for S. Not with {@link #cuSeqlens}, which has them.
   */
  public CacheAppendCall lengths(Tensor lengths) {
    return bind("lengths", lengths);
  }

  /**
   * Makes new rows packed: those of sequence b are rows {@code offsets[b]} to {@code offsets[b + 1]
   * - 1} of key and value.
   *
   * @param offsets [B + 1] {@link DType#INT32}, rising from 0 to Tn
   * @param longest at least the most new rows of a sequence; the plan depends on it
   */
  public CacheAppendCall cuSeqlens(Tensor offsets, long longest) {
    Objects.requireNonNull(offsets, "offsets");
    SequenceCall.notNegative("longest", longest);
    claim().begin();
    operands().set("cu_seqlens", offsets).longest("length", longest);
    return operandBound();
  }

  /**
   * Rotates keys: [P, C], or [B or 1, P, C], {@link DType#FLOAT32} with 2 C at most D, as for
   * {@link RotaryEmbedding#call(Tensor, Tensor, Tensor)}. Null for none, both or neither.
   */
  public CacheAppendCall rotary(Tensor cosines, Tensor sines) {
    return bindBoth("cosines", cosines, "sines", sines);
  }

  /** The same with tables that {@link RotaryTables} made. */
  public CacheAppendCall rotary(RotaryTables tables) {
    return rotary(tables.cosines(), tables.sines());
  }

  /**
   * The rows of the {@linkplain #rotary tables} that new rows are at, [B or 1, S], packed [Tn],
   * {@link DType#INT32}. Null for starts[b] + s.
   */
  public CacheAppendCall positions(Tensor positions) {
    return bind("positions", positions);
  }

  /**
   * Makes the cache one of pages that sequences share: [G, Z, Hk, D] of G pages of Z rows each, Z a
   * power of two. Row j of sequence b is row j mod Z of page {@code table[b][j / Z]}. Entries of
   * pages without new rows are not read. No page may have new rows of two sequences: one that
   * sequences share is copied first.
   *
   * @param table [B, E] {@link DType#INT32}, for up to E pages of a sequence; null for no pages
   * @param longest at least the length of the longest sequence, new rows too, at most E Z; the plan
   *     depends on it
   */
  public CacheAppendCall pages(Tensor table, long longest) {
    SequenceCall.notNegative("longest", longest);
    claim().begin();
    operands().set("block_table", table).longest("cache_length", longest);
    return operandBound();
  }

  /**
   * Of no use here: a run writes the cache.
   *
   * @throws UnsupportedOperationException always
   */
  @Override
  public CacheAppendCall out(Tensor out) {
    throw noOut();
  }

  /**
   * Of no use here: {@link #run} writes the cache.
   *
   * @throws UnsupportedOperationException always
   */
  @Override
  public Tensor forward(Scope scope) {
    throw noOut();
  }

  private UnsupportedOperationException noOut() {
    return new UnsupportedOperationException(append + " has no out: it writes the cache");
  }

  @Override
  boolean hasOut() {
    return false;
  }

  @Override
  long[] outShape() {
    throw noOut();
  }
}
