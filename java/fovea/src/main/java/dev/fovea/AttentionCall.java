package dev.fovea;

import java.lang.foreign.Arena;
import java.util.Objects;

/**
 * Operands bound to an {@link Attention}: {@link Attention#call} takes query, key and value, this
 * what else attention reads.
 */
public final class AttentionCall extends SoftmaxCall<AttentionCall> {
  private final ScoreModifier modifier; // null: none

  AttentionCall(Attention attention, Tensor query, Tensor key, Tensor value, RunMemory memory) {
    super(attention.options(), query, key, value, memory);
    modifier = attention.options().scoreModifier();
    if (modifier != null) {
      int[] words = modifier.program().words();
      // Of its own memory: it goes with the tensor.
      operands()
          .set(
              "modifier_program",
              Scope.over(Arena.ofAuto(), query.device()).copyOf(words, words.length));
    }
  }

  /**
   * The numbers that {@link ScoreModifier.Place#table} reads: [Hq or 1, C] {@link DType#FLOAT32},
   * with any strides. Null for none.
   *
   * @throws IllegalArgumentException if the attention has no {@linkplain
   *     Attention.Builder#scoreModifier modifier} that reads any, or one that names a column which
   *     is not there
   */
  public AttentionCall modifierTable(Tensor table) {
    if (table != null) {
      if (modifier == null || !modifier.program().readsTable()) {
        throw new IllegalArgumentException(
            "modifierTable is set, but no score modifier of the attention reads it");
      }
      int columns = modifier.program().columns();
      if (table.rank() > 0 && table.size(table.rank() - 1) < columns) {
        throw new IllegalArgumentException(
            "modifierTable is %s, expected %d columns or more: the modifier is %s"
                .formatted(table.description(), columns, modifier));
      }
    }
    return bind("modifier_table", table);
  }

  @Override
  void checkOperands() {
    if (modifier != null
        && modifier.program().readsTable()
        && operands().get("modifier_table") == null) {
      throw new IllegalStateException("modifierTable is not set: the modifier is " + modifier);
    }
  }

  /**
   * A vector for each head that is added to its queries before their product with keys: [Hq, D],
   * {@link DType#FLOAT32}. The sum is rounded to the type of query. Null for none. It is u of
   * {@linkplain #positionKeys Transformer-XL}, and does nothing that a bias of the query's
   * projection would not do but to leave queries as they are elsewhere. CUDA takes it for head
   * dimensions up to 128.
   */
  public AttentionCall contentBias(Tensor bias) {
    return bind("content_bias", bias);
  }

  /**
   * A vector for each head that is added to its queries before their product with {@link
   * #positionKeys}: [Hq, D], {@link DType#FLOAT32}; w of Transformer-XL, which calls it v. The sum
   * is rounded to the type of query. Null for none.
   */
  public AttentionCall positionBias(Tensor bias) {
    return bind("position_bias", bias);
  }

  /**
   * Keys of distances: the score of query i and key j gets scale * &lt;q_i + w_h, r_t&gt; more,
   * where t = position_i - j counts keys back from the query's position, and w is the {@link
   * #positionBias}, if there is one. Before a softcap, a bias or a mask. [P, Hq or 1, D] in the
   * type of query, as the projection of an encoding of distances gives them; row {@link
   * Attention.Builder#positionOrigin origin} + t is that of t. Null for none.
   *
   * <p>Each distance that sizes, causal mask and window let a query and a key have must have a row:
   * with the last query at the last key those from 1 - Sq to Sk - 1, from 0 on under a causal mask.
   * Others are not read. Keys of a memory that precede the segment are just keys: Sk = M + Sq.
   * Models that list distances from the farthest to the nearest give the same rows the other way
   * round.
   *
   * <p>With both biases this is the attention of Transformer-XL (Dai et al., 2019, arXiv
   * 1901.02860, section 3.3), XLNet and Conformer; without them that of Shaw et al., 2018, arXiv
   * 1803.02155, in its keys. No scores of queries and distances are kept: each tile computes its
   * own. CUDA takes them for head dimensions up to 128, and float32 is never rounded to TF32.
   */
  public AttentionCall positionKeys(Tensor keys) {
    return bind("position_keys", keys);
  }

  /**
   * Added to the scaled scores before masking: [B or 1, Hq or 1, Sq or 1, Sk] of any floating type,
   * or without the first or the first two dimensions: [Hq or 1, Sq or 1, Sk], [Sq or 1, Sk];
   * packed: [Hq or 1, Tq or 1, longest Sk] or [Tq or 1, longest Sk]. Null for none. A finite mask
   * may serve as well as -inf, but a row that has nothing else then attends to all its keys; scores
   * below -2.3e38 count as -inf. A {@link #mask} hides keys whatever their scores are.
   */
  public AttentionCall bias(Tensor bias) {
    return bind("bias", bias);
  }

  /**
   * Which keys a query sees: those where the mask is true. Shapes as of {@link #bias}, {@link
   * DType#BOOL}: [Sq, Sk], [B, 1, 1, Sk] for a padding mask of each sequence, and so on. Null for
   * all. A query that sees no key gives out = 0. What causal masks, windows and {@linkplain
   * #keyLengths lengths} say is much cheaper said by these: kernels then need not read it.
   *
   * <p>True means what it does in the {@code attn_mask} of PyTorch's {@code
   * scaled_dot_product_attention}, and as the ones of an {@code attention_mask} of Hugging Face.
   * The {@code key_padding_mask} of PyTorch's {@code MultiheadAttention} means the opposite.
   */
  public AttentionCall mask(Tensor mask) {
    return bind("mask", mask);
  }

  /**
   * Makes key and value pages of a cache that sequences share: key is [G, Z, Hk, D] of G pages of Z
   * rows each, Z a power of two, value [G, Z, Hk, Dv]. Key j of sequence b is row j mod Z of page
   * {@code table[b][j / Z]}. Entries behind the {@linkplain #keyLengths length} of a sequence are
   * not read, nor those before a window of its first query; rows behind the length may hold
   * anything. With packed queries, {@link #cuSeqlens(Tensor, long)}, keys have no offsets.
   *
   * <p>A run on the CPU refuses entries that are no page of the cache. A GPU has them in its own
   * memory and cannot report them: queries of such a sequence give anything, and nothing outside of
   * the cache is read. Not in a backward pass.
   *
   * @param table [B, E] {@link DType#INT32}, for up to E pages of a sequence; null for no pages
   * @param longest at least the length of the longest key sequence, at most E Z; the plan depends
   *     on it
   */
  public AttentionCall pages(Tensor table, long longest) {
    notNegative("longest", longest);
    claim().begin();
    operands().set("block_table", table).longest("key_length", longest);
    return operandBound();
  }

  /**
   * What the elements of {@linkplain #pages cached} keys and values are multiplied by, as where
   * these are quantized: for each page and key head, [G, 1, Hk], or for each row, [G, Z, Hk].
   * Without pages [B, 1 or Sk, Hk]. {@link DType#FLOAT32}. Null for none. Not in a backward pass.
   */
  public AttentionCall cacheScales(Tensor key, Tensor value) {
    return bindBoth("key_scales", key, "value_scales", value);
  }

  /**
   * What the elements of queries of {@link DType#FLOAT8_E4M3} are multiplied by: [B or 1, Hk or 1]
   * {@link DType#FLOAT32}, one for each sequence and key head. Null for 1. Out is of the
   * {@linkplain Attention.Builder#outDType type} that is asked for, and there is no backward pass.
   *
   * @throws IllegalArgumentException from the plan, if queries are of another type
   */
  public AttentionCall queryScales(Tensor scales) {
    return bind("query_scales", scales);
  }

  /**
   * Which of the last Sq keys, those of the queries themselves, a query sees: query i key len_k -
   * len_q + j where {@code mask[i][j]} is true. Keys before these are seen by all. So a tree of
   * tokens is verified at once in speculative decoding: a token sees those it follows, and itself
   * (Miao et al., 2023, SpecInfer, arXiv 2305.09781). [B or 1, Sq, Sq] {@link DType#BOOL}; packed:
   * [Tq, longest Sq]. Null for none. Not in a backward pass: there a {@link #mask} says the same.
   */
  public AttentionCall treeMask(Tensor mask) {
    return bind("tree_mask", mask);
  }

  /**
   * Makes queries packed where keys lie in {@link #pages}, and are not: sequence b has queries
   * {@code offsets[b]} to {@code offsets[b + 1] - 1}. Query is [Tq, Hq, D], out [Tq, Hq, Dv].
   *
   * @param query offsets, [B + 1] {@link DType#INT32}, rising from 0 to Tq; in messages cuSeqlensQ
   * @param longestQuery at least the length of the longest query sequence; the plan depends on it,
   *     and on a device which kernel runs: there a sequence has the same bits in any batch of the
   *     same longestQuery
   */
  public AttentionCall cuSeqlens(Tensor query, long longestQuery) {
    Objects.requireNonNull(query, "query");
    notNegative("longestQuery", longestQuery);
    claim().begin();
    operands().set("cu_seqlens_q", query).longest("query_length", longestQuery);
    operands().set("cu_seqlens_k", null);
    return operandBound();
  }

  /**
   * Which blocks of keys each block of queries sees, in compressed rows (CSR): time is that of the
   * blocks that are listed, in both passes. Blocks are of {@link Attention.Builder#blockSize}:
   * block row m is queries [m Mb, (m + 1) Mb) of a sequence, block n its keys [n Nb, (n + 1) Nb). A
   * query sees what its list has of the keys that position and length let it see; with an empty
   * list nothing, which gives out = 0. {@link BlockMask} makes both tensors. Null for none, both or
   * neither.
   *
   * @param offsets [B or 1, Hq or 1, ceil(Sq / Mb) + 1], or without the first dimension, {@link
   *     DType#INT32}: the list of block row m is indices [offsets[m], offsets[m + 1])
   * @param indices [B or 1, Hq or 1, room], or without the first dimension, {@link DType#INT32}:
   *     blocks of keys, in each list strictly rising. Of others nothing is promised but that
   *     nothing else is read or written
   */
  public AttentionCall blockMask(Tensor offsets, Tensor indices) {
    return bindBoth("block_offsets", offsets, "block_indices", indices);
  }

  /**
   * What is added to scores by the distance of a key, its position minus the query's, in buckets of
   * distances that a head learns a number for (Raffel et al., 2019, arXiv 1910.10683). Null for
   * none, both or neither.
   *
   * @param table [Hq, N], {@link DType#FLOAT32}, with any strides: the weight of an embedding of N
   *     buckets and Hq heads is its transpose
   * @param buckets [W], {@link DType#INT32}, W odd: element d + (W - 1) / 2 is the bucket of
   *     distance d, and the first and last are those of all distances beyond. {@link
   *     RelativeBuckets} makes them
   */
  public AttentionCall relativeBias(Tensor table, Tensor buckets) {
    return bindBoth("relative_table", table, "relative_buckets", buckets);
  }

  /**
   * ALiBi (Press et al., 2021): adds slope * (j - position), or -slope * |j - position| without a
   * causal mask. [B or 1, Hq or 1] or [Hq or 1], {@link DType#FLOAT32}, with any strides. Null for
   * none.
   */
  public AttentionCall alibiSlopes(Tensor slopes) {
    return bind("alibi_slopes", slopes);
  }

  /**
   * Centers of a Gaussian that is added to the scores, as keys: adds -(j - center)^2 / (2 sigma^2),
   * so that a query attends to keys near its center. [B or 1, Hq or 1, Sq or 1], or without the
   * first dimensions; packed: [Hq or 1, Tq or 1]. {@link DType#FLOAT32}, with any strides. Needs a
   * {@linkplain Attention.Builder#gaussianSigma sigma}; null for none. With predicted centers and a
   * window it is local attention (Luong et al., 2015, arXiv 1508.04025, local-p).
   */
  public AttentionCall gaussianCenters(Tensor centers) {
    return bind("gaussian_centers", centers);
  }

  /**
   * How many keys back a query sees in full: a weight exp(x_ij) is multiplied by (ramp + span -
   * (position_i - j)) / ramp, but at least by 0 and at most by 1, before weights are divided by
   * their sum. Shapes as of {@link #gaussianCenters}: [Hq, 1] learnt for each head, or [B, Hq, Sq]
   * computed from the input. Needs a {@linkplain Attention.Builder#spanRamp ramp}; null for none.
   * (Sukhbaatar et al., 2019, arXiv 1905.07799.)
   */
  public AttentionCall spans(Tensor spans) {
    return bind("spans", spans);
  }

  /**
   * Logits of gates of keys: in the sum of values, not in the softmax, the weight of key j is
   * multiplied by 1 / (1 + exp(-g_j)), so that a key can be turned down and what it took goes to no
   * other. Nothing is divided by a sum again: {@link #lse} and {@link #weights} are those before
   * gates. [B or 1, Hq or 1, Sk], or without the first or the first two dimensions; packed: [Hq or
   * 1, Tk] or [Tk], rows as those of key. {@link DType#FLOAT32}. Null for none.
   */
  public AttentionCall keyGates(Tensor gates) {
    return bind("key_gates", gates);
  }

  /**
   * Logits of gates of the result: what is written to out is multiplied by 1 / (1 + exp(-g)), with
   * a gate for each element, [B, Sq, Hq, Dv], or for each head of a query, [B, Sq, Hq, 1]; packed:
   * [Tq, Hq, Dv or 1]. Of any floating type, not only that of query. Null for none. A backward pass
   * then needs the result before gates: {@link #ungated}. (Qiu et al., 2025, arXiv 2505.06708, gate
   * G1.)
   */
  public AttentionCall outputGates(Tensor gates) {
    return bind("output_gates", gates);
  }

  /**
   * Where the result before {@linkplain #outputGates gates of the result} goes: shape and type of
   * out. It is what a backward pass reads in place of out, which says nothing of it where a gate is
   * shut. Null if it is not wanted, as when there are no such gates.
   */
  public AttentionCall ungated(Tensor ungated) {
    return bind("ungated", ungated);
  }

  @Override
  String resultName() {
    return operands().get("output_gates") == null ? "out" : "ungated";
  }

  /**
   * A score for each head that joins the softmax sum without a value: [Hq], {@link DType#FLOAT32}.
   * Null for none.
   */
  public AttentionCall sinks(Tensor sinks) {
    return bind("sinks", sinks);
  }

  /**
   * The backward pass of this call's own forward: of its last run when the backward pass runs, with
   * the out, lse and seed of that, so that one object serves many steps of training. It may be made
   * and planned before; to run it needs a run, or one that was captured, since operands were last
   * bound to the call. With {@linkplain #outputGates gates of the result} it reads {@link
   * #ungated}, which then must be bound.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  @Override
  public AttentionBackward gradients(Tensor dout) {
    return new AttentionBackward(this, dout, null, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here. This
   * call need not run, nor have an out or lse of its own; where there is dropout, its {@linkplain
   * #dropoutSeed seed} must be that of the forward.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param out what that forward wrote there, or with gates of the result to {@link #ungated}
   * @param lse what that forward wrote there
   */
  public AttentionBackward gradients(Tensor dout, Tensor out, Tensor lse) {
    return new AttentionBackward(
        this,
        dout,
        Objects.requireNonNull(out, "out"),
        Objects.requireNonNull(lse, "lse"),
        new RunMemory());
  }
}
