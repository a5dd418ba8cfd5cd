/*
 * Fovea: fused attention. The flat C ABI, exported alike by every backend library.
 *
 * Numbers travel in blocks, addresses as arguments. Every block starts with `size`, the bytes its
 * caller knows of: a smaller block is read as if zero-extended, a larger one is accepted while its
 * unknown tail is zero. A zero field means "default" or "off"; sizes
 * and strides are taken as they are. What a function reports in
 * words goes to the `error` array of the block it writes, never to a thread-local.
 *
 * Sizes and strides are counted in elements, never bytes. Strides are free, but the innermost
 * dimension is always contiguous; index arithmetic is 64-bit. All functions are thread-safe as long
 * as no two calls write the same block, output, workspace or scratch at the same time.
 */
#ifndef FOVEA_H_
#define FOVEA_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FOVEA_API __attribute__((visibility("default")))
#else
#define FOVEA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a block or a signature changes its meaning; appending a field does not raise it. */
#define FOVEA_ABI_VERSION 23
#define FOVEA_ERROR_LENGTH 512
#define FOVEA_MAX_PHASES 6
#define FOVEA_SPEC_WORDS 192 /* int64s that the spec of any operation fits into */
/* Workspace and scratch must be aligned to this many bytes. */
#define FOVEA_ALIGNMENT 64

/* What every function but fovea_abi_version returns. */
enum {
  FOVEA_OK = 0,
  FOVEA_INVALID_ARGUMENT = 1, /* a value is out of its documented range */
  FOVEA_UNSUPPORTED = 2,      /* legal, but this backend or device has no kernel for it */
  FOVEA_DEVICE_ERROR = 3,     /* the device refused; it still works */
  FOVEA_DEVICE_LOST = 4,      /* sticky device error: its context is unusable */
};

enum {
  FOVEA_FLOAT32 = 1,
  FOVEA_FLOAT16 = 2,
  FOVEA_BFLOAT16 = 3,
  /* Of caches, the last of queries of attention too. INT4X2: a byte of two values from -8 to 7, the first in its lower
   * half; FLOAT8_E4M3: 4 bits of exponent with bias 7, 3 of mantissa, no infinities, NaN 0x7f and 0xff (Micikevicius et
   * al., arXiv 2209.05433). */
  FOVEA_INT8 = 4,
  FOVEA_INT4X2 = 5,
  FOVEA_FLOAT8_E4M3 = 6
};

/* The passes of an operation. */
enum { FOVEA_FORWARD = 0, FOVEA_BACKWARD = 1 };

enum { FOVEA_DEVICE_CPU = 1, FOVEA_DEVICE_CUDA = 2 };

/* Instruction set tiers of the CPU backend: of an x86-64 in rising order, and that of every AArch64. */
enum {
  FOVEA_ISA_PORTABLE = 1,
  FOVEA_ISA_AVX2 = 2,
  FOVEA_ISA_AVX512 = 3,
  FOVEA_ISA_AVX512_BF16 = 4,
  FOVEA_ISA_AMX = 5,
  FOVEA_ISA_NEON = 6
};

/* How query positions meet key positions where the two lengths differ. */
enum {
  FOVEA_BOTTOM_RIGHT =
      0,             /* pos_i = i + key length - query length: the last query sees the last key */
  FOVEA_TOP_LEFT = 1 /* pos_i = i */
};

/* The feature map phi of linear attention: x; x + 1 where x > 0, else exp(x); x where x > 0, else 0. */
enum { FOVEA_IDENTITY = 0, FOVEA_ELU_PLUS_ONE = 1, FOVEA_RELU = 2 };

/* Activation functions f of a number z; a derivative where there is none, of relu at 0, is 0. */
enum {
  FOVEA_ACTIVATION_IDENTITY = 0,  /* z */
  FOVEA_ACTIVATION_RELU = 1,      /* z where z > 0, else 0 */
  FOVEA_ACTIVATION_GELU = 2,      /* z Phi(z), Phi(z) = (1 + erf(z / sqrt(2))) / 2 */
  FOVEA_ACTIVATION_GELU_TANH = 3, /* z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 */
  FOVEA_ACTIVATION_SILU = 4,      /* z sigmoid(z), swish */
  FOVEA_ACTIVATION_SIGMOID = 5,   /* 1 / (1 + exp(-z)) */
  FOVEA_ACTIVATION_TANH = 6,
};

/* What distance attention fits to the values around a query, and the head_dim that a linear fit takes at most. */
enum { FOVEA_LOCAL_CONSTANT = 0, FOVEA_LOCAL_LINEAR = 1, FOVEA_MOST_FIT_DIM = 16 };

/* The rules that a step of an optimizer goes by. */
enum { FOVEA_SGD = 0, FOVEA_ADAMW = 1, FOVEA_LION = 2 };

/* ---- the library ---------------------------------------------------------------------------- */

typedef struct fovea_library_info {
  uint32_t size;
  int32_t abi_version;
  char backend[16]; /* "cpu", "cuda", "sim" */
  char version[32]; /* of the product, "0.1.0" */
  char build[160];  /* compiler, its version, targets */
  char error[FOVEA_ERROR_LENGTH];
} fovea_library_info;

typedef struct fovea_device_info {
  uint32_t size;
  int32_t kind;               /* FOVEA_DEVICE_* */
  int32_t index;              /* ordinal of the device; 0 on the CPU */
  int32_t isa;                /* CPU: the tier to plan for; query answers the best */
  int32_t isa_available;      /* CPU: bit (1 << tier) set for every tier that runs here */
  int32_t compute_capability; /* CUDA: 10 * major + minor */
  int32_t multiprocessors;    /* CUDA: SMs. CPU: logical processors */
  int32_t reserved0;          /* zero */
  int64_t shared_memory;      /* CUDA: bytes a block may opt into */
  int64_t cache_bytes;        /* CPU: L2 of one core. CUDA: L2 of the device */
  int64_t memory_bytes;       /* total memory of the device; 0 = not known */
  char name[128];
  char error[FOVEA_ERROR_LENGTH];
} fovea_device_info;

/* FOVEA_ABI_VERSION of the library. */
FOVEA_API int32_t fovea_abi_version(void);

FOVEA_API int32_t fovea_library_query(fovea_library_info* info);

/* Describes device `index` of this backend. FOVEA_INVALID_ARGUMENT if there is no such device. */
FOVEA_API int32_t fovea_device_query(int32_t index, fovea_device_info* device);

/* ---- plans and runs -------------------------------------------------------------------------
 *
 * An operation has a spec of its own, what to compute in numbers, and functions of its own to plan a
 * pass of it and to run that.
 */

/*
 * Everything a run needs to know, decided once: plain data, free to copy, valid in any process on
 * a device like the one it was made for.
 */
typedef struct fovea_plan {
  uint32_t size; /* must be sizeof(fovea_plan) */
  int32_t abi_version;
  int32_t operation;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t device_kind;
  int32_t isa;                     /* CPU: the tier whose kernel runs. CUDA: its least compute capability */
  int32_t variant;                 /* CUDA: which of its kernels runs; 0 on the CPU */
  int32_t phases;                  /* phase p + 1 may start once every item of phase p has ended */
  int32_t tile_queries;            /* rows of (query position, head of the group) in one item; or images */
  int32_t tile_keys;               /* or pixels of a part of an image */
  uint64_t needed;                 /* bit i: operand i of the pass, in order of arguments, has elements */
  uint64_t allowed;                /* bit i: it is not absent */
  int64_t items[FOVEA_MAX_PHASES]; /* independent pieces of work in each phase */
  int64_t workspace_bytes;         /* shared by all workers of one run */
  int64_t scratch_bytes;           /* for each worker of one run */
  int64_t section; /* CUDA: (batch, key head) pairs whose items run side by side; 0 on the CPU */
  double flops;    /* upper bound, from the longest lengths */
  char kernel[120];
  int64_t spec[FOVEA_SPEC_WORDS]; /* the operation's, defaults resolved; it begins with its size */
  uint64_t seal;                  /* a hash of all before: a plan that was changed is refused */
  char error[FOVEA_ERROR_LENGTH];
} fovea_plan;

typedef struct fovea_call {
  uint32_t size;
  int32_t phase; /* 0 <= phase < plan.phases */
  int64_t begin; /* items [begin, end) of the phase are done by this call */
  int64_t end;
  uint64_t dropout_seed;   /* key of Philox4x32-10 */
  uint32_t dropout_offset; /* last word of its counter: raise it for every step of training */
  int32_t reserved0;
  char error[FOVEA_ERROR_LENGTH];
} fovea_call;

/*
 * fovea_plan_<operation>(spec, device, plan) checks every number of a spec, picks kernel and tiles of
 * spec->pass for `device` and fills `plan`. Pure: touches no device, so plans for absent devices can be
 * made. FOVEA_INVALID_ARGUMENT and FOVEA_UNSUPPORTED leave the reason in plan->error.
 *
 * Does once per device and plan what a run may not: loads code, sets attributes. May write the plan's
 * error, so not while another thread reads the plan. Nor while any thread captures a CUDA graph in the
 * global mode, the default: loading code is not allowed then, and an attempt may end that capture.
 */
FOVEA_API int32_t fovea_prepare(fovea_plan* plan);

/*
 * CUDA: loads what the program of a score modifier was compiled to, kernels of cuda/attention/modified_forward.cuh or
 * modified_backward.cuh, for plans of that pass and variant whose spec has `key` for its modifier_key, on the current
 * device and those of its compute capability. Kept for good; where there are such kernels already nothing happens.
 * Plans may be made before; they are prepared after. Other backends run programs as they are: FOVEA_UNSUPPORTED.
 * `image` is a cubin. Thread-safe; `error` says why it failed.
 */
FOVEA_API int32_t fovea_load_modifier(int64_t key, int32_t pass, int32_t variant, const void* image,
                                      char error[FOVEA_ERROR_LENGTH]);

/*
 * fovea_run_<operation>(plan, call, operands, workspace, scratch, stream) runs items [call->begin,
 * call->end) of phase call->phase of a forward pass, fovea_run_<operation>_backward those of a backward
 * pass, where the operation has one. Allocates nothing and, on a device, waits for nothing. Results are the same bits for any split of
 * the items among workers.
 *
 * Operands are NULL where the spec says that they are absent, and may be where they have no elements, as
 * workspace and scratch of zero bytes may. A device takes all items of a phase in one call. What is written must not overlap any
 * other operand. What is written in place is read before, so that an item that runs twice has its effect
 * twice. `stream` is a CUstream, NULL on the CPU.
 *
 * All items of all phases are to be run, phase after phase, on the same operands and workspace. The
 * workspace may hold anything before.
 *
 * Lengths are int32:
 *   cu_seqlens_*  [B + 1], rising from 0 to the total, by no more than the longest at a time: sequence
 *                 b is rows cu[b] to cu[b + 1]
 *   *_lengths     [B], between 0 and the longest, or the rows of a packed sequence; what lies behind is
 *                 padding and never read
 * They are contents, which a plan does not know. The CPU refuses those outside their range. A CUDA kernel,
 * which cannot report them, clamps them; rows that no sequence has, before cu[0] or from cu[B] on, then
 * stay as they were in all outputs and gradients. Where nothing is to be written, they are not read.
 *
 * Dropout: Philox4x32-10 (Salmon et al., 2011), key = dropout_seed, counter =
 *   ((j >> 5) * 4 + ((j >> 1) & 3), i, b * Hq + h, dropout_offset);
 * the draw for (i, j) is half j & 1 (0 = low) of word (j >> 3) & 3. With t = round(65536 * dropout), p_ij
 * is kept where the draw is t or more, and then scaled by 65536 / (65536 - t).
 */

/* ---- scaled dot-product attention ------------------------------------------------------------
 *
 * query [B, Sq, Hq, D], key [B, Sk, Hk, D], value [B, Sk, Hk, Dv], out [B, Sq, Hq, Dv] and lse
 * [B, Hq, Sq] in any stride order; with `packed`, sequences lie end to end without padding:
 * query [Tq, Hq, D], key [Tk, Hk, D], out [Tq, Hq, Dv], lse [Hq, Tq].
 *
 *   x_ij = scale * (<q_i + u_h, k_j> + <q_i + w_h, r_t>), t = pos_i - j, for what of u, w and r is given; q_i + u_h
 *   and q_i + w_h are rounded to dtype
 *   x_ij = softcap * tanh(x_ij / softcap);  x_ij += bias_ij or ALiBi
 *   x_ij += table_h,bucket(j - pos_i)
 *   x_ij -= (j - center_i)^2 / (2 sigma^2);  x_ij += ln(clamp((R + span_i - (pos_i - j)) / R, 0, 1))
 *   x_ij = -inf where masked, mask_ij = 0, no block of j is listed, or j's pixel is far from i's;  lse_i = ln(sum_j exp(x_ij) + exp(sink));  p_ij = exp(x_ij - lse_i)
 *   out_i = sum_j dropout(p_ij) sigmoid(key_gate_j) v_j;  out_id *= sigmoid(output_gate_id)
 *
 * A row that sees no key gives out = 0 and lse = -inf (its sink, if it has one); scores below
 * -2.3e38 count as -inf. Query head h reads key/value head h / (Hq / Hk). (Dao, FlashAttention-2,
 * arXiv 2307.08691.)
 */

/* generated from ops/attention.op: spec */
typedef struct fovea_attention_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16, _BFLOAT16 or _FLOAT8_E4M3 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t bias_dtype; /* 0 = no bias */
  int32_t output_gates_dtype; /* 0 = no output_gates */
  int32_t cache_dtype; /* of a cache, also FOVEA_INT8, _INT4X2 or _FLOAT8_E4M3; 0 = dtype */
  int32_t packed; /* 1 = ragged: cu_seqlens_* are given, batch strides are unused */
  int32_t causal; /* 1 = key j is seen by query i where j <= pos_i */
  int32_t alignment; /* FOVEA_BOTTOM_RIGHT or FOVEA_TOP_LEFT: defines pos_i everywhere */
  int32_t has_window_left; /* 0 = none: window_left is not read */
  int32_t has_window_right; /* 0 = none: window_right is not read */
  int32_t has_image_width; /* 0 = none: image_width is not read */
  int32_t has_window_rows; /* 0 = none: window_rows is not read */
  int32_t has_window_columns; /* 0 = none: window_columns is not read */
  int32_t has_block_queries; /* 0 = none: block_queries is not read */
  int32_t has_block_keys; /* 0 = none: block_keys is not read */
  int32_t has_modifier_key; /* 0 = none: modifier_key is not read */
  int32_t has_position_origin; /* 0 = none: position_origin is not read */
  int32_t has_scale; /* 0 = none: scale is not read */
  int32_t allow_tf32; /* 1 = TF32 (11 bits) for factors of float32 products on a device */
  int32_t has_query_scales; /* 1 = query_scales is given */
  int32_t has_key_scales; /* 1 = key_scales is given */
  int32_t has_value_scales; /* 1 = value_scales is given */
  int32_t has_block_table; /* 1 = block_table is given */
  int32_t has_tree_mask; /* 1 = tree_mask is given */
  int32_t has_content_bias; /* 1 = content_bias is given */
  int32_t has_position_bias; /* 1 = position_bias is given */
  int32_t has_position_keys; /* 1 = position_keys is given */
  int32_t has_mask; /* 1 = mask is given */
  int32_t has_block_offsets; /* 1 = block_offsets is given */
  int32_t has_block_indices; /* 1 = block_indices is given */
  int32_t has_relative_table; /* 1 = relative_table is given */
  int32_t has_relative_buckets; /* 1 = relative_buckets is given */
  int32_t has_modifier_program; /* 1 = modifier_program is given */
  int32_t has_modifier_table; /* 1 = modifier_table is given */
  int32_t has_alibi_slopes; /* 1 = alibi_slopes is given */
  int32_t has_gaussian_centers; /* 1 = gaussian_centers is given */
  int32_t has_spans; /* 1 = spans is given */
  int32_t has_key_gates; /* 1 = key_gates is given */
  int32_t has_sinks; /* 1 = sinks is given */
  int32_t has_query_lengths; /* 1 = query_lengths is given */
  int32_t has_key_lengths; /* 1 = key_lengths is given */
  int32_t has_lse; /* 1 = lse is given */
  int32_t has_weights; /* 1 = weights is given */
  int32_t has_top_weights; /* 1 = top_weights is given */
  int32_t has_top_keys; /* 1 = top_keys is given */
  int32_t has_ungated; /* 1 = ungated is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dcontent_bias; /* backward: 1 = dcontent_bias is written */
  int32_t has_dposition_bias; /* backward: 1 = dposition_bias is written */
  int32_t has_dposition_keys; /* backward: 1 = dposition_keys is written */
  int32_t has_dbias; /* backward: 1 = dbias is written */
  int32_t has_drelative_table; /* backward: 1 = drelative_table is written */
  int32_t has_dmodifier_table; /* backward: 1 = dmodifier_table is written */
  int32_t has_dalibi_slopes; /* backward: 1 = dalibi_slopes is written */
  int32_t has_dgaussian_centers; /* backward: 1 = dgaussian_centers is written */
  int32_t has_dspans; /* backward: 1 = dspans is written */
  int32_t has_dkey_gates; /* backward: 1 = dkey_gates is written */
  int32_t has_doutput_gates; /* backward: 1 = doutput_gates is written */
  int32_t has_dsinks; /* backward: 1 = dsinks is written */
  float scale; /* absent: 1/sqrt(head_dim) */
  float softcap; /* 0 = off; else from 2^-32 to 2^32, so that score / softcap keeps its digits */
  float gaussian_sigma; /* standard deviation, in keys, of the Gaussian around gaussian_centers */
  float span_ramp; /* keys over which the weights at the end of `spans` fall to 0 */
  float dropout; /* probability of dropping, 0 <= dropout < 1 */
  int64_t window_left; /* >= 0; only keys j >= pos_i - window_left */
  int64_t window_right; /* >= 0; only keys j <= pos_i + window_right */
  int64_t image_width; /* >= 0; positions are pixels of images of this width,
      row by row; 1 or more */
  int64_t window_rows; /* >= 0; only keys in the image rows that are so far from that of pos_i at most */
  int64_t window_columns; /* >= 0; likewise columns */
  int64_t block_queries; /* >= 0; of a block of block_offsets and block_indices */
  int64_t block_keys; /* >= 0; of one */
  int64_t modifier_key; /* >= 0; CUDA: which kernels modifier_program was compiled to,
      see fovea_load_modifier */
  int64_t position_origin; /* >= 0; the row of position_keys for distance 0; absent: 0 */
  int64_t batch; /* B: sequences */
  int64_t query_length; /* Sq: packed: at least the longest query sequence */
  int64_t key_length; /* Sk: packed: at least the longest key sequence */
  int64_t query_heads; /* Hq: a multiple of key_heads */
  int64_t key_heads; /* Hk */
  int64_t head_dim; /* D: of query and key */
  int64_t value_head_dim; /* Dv */
  int64_t relative_width; /* W: distances that differ, from -(W - 1) / 2 on: W is odd */
  int64_t relative_count; /* N: columns of relative_table */
  int64_t position_count; /* P: distances that position_keys has rows of */
  int64_t block_rows; /* R: rows of blocks in a block mask, and one more */
  int64_t block_count; /* L: room for the blocks that are listed */
  int64_t modifier_words; /* M: of modifier_program */
  int64_t modifier_columns; /* C: of modifier_table */
  int64_t page_count; /* G: pages of a cache; with block_table */
  int64_t page_size; /* Z: rows of a page: a power of two */
  int64_t page_columns; /* E: pages that a sequence may have: columns of block_table */
  int64_t top_count; /* K: of the largest weights of a query that are listed */
  int64_t query_total; /* Tq: packed: rows of query, at most batch * query_length; else 0 */
  int64_t key_total; /* Tk: packed: rows of key and value, at most batch * key_length; else 0 */
  int64_t query_stride[3]; /* of [B, Sq, Hq] */
  int64_t key_stride[3]; /* of [B, Sk, Hk] */
  int64_t value_stride[3]; /* of [B, Sk, Hk] */
  int64_t query_scales_stride[2]; /* of [B~, Hk~] */
  int64_t key_scales_stride[2]; /* of [B, Sk~] */
  int64_t value_scales_stride[2]; /* of [B, Sk~] */
  int64_t block_table_stride[1]; /* of [B] */
  int64_t tree_mask_stride[2]; /* of [B~, Sq] */
  int64_t content_bias_stride[1]; /* of [Hq] */
  int64_t position_bias_stride[1]; /* of [Hq] */
  int64_t position_keys_stride[2]; /* of [P, Hq~] */
  int64_t bias_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t mask_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t block_offsets_stride[2]; /* of [B~, Hq~] */
  int64_t block_indices_stride[2]; /* of [B~, Hq~] */
  int64_t relative_table_stride[2]; /* of [Hq, N] */
  int64_t modifier_table_stride[2]; /* of [Hq~, C] */
  int64_t alibi_slopes_stride[2]; /* of [B~, Hq~] */
  int64_t gaussian_centers_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t spans_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t key_gates_stride[2]; /* of [B~, Hq~] */
  int64_t output_gates_stride[4]; /* of [B, Sq, Hq, Dv~] */
  int64_t out_stride[3]; /* of [B, Sq, Hq] */
  int64_t lse_stride[2]; /* of [B, Hq] */
  int64_t weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_keys_stride[3]; /* of [B, Hq, Sq] */
  int64_t ungated_stride[3]; /* of [B, Sq, Hq] */
  int64_t dout_stride[3]; /* of [B, Sq, Hq] */
  int64_t dquery_stride[3]; /* of [B, Sq, Hq] */
  int64_t dkey_stride[3]; /* of [B, Sk, Hk] */
  int64_t dvalue_stride[3]; /* of [B, Sk, Hk] */
  int64_t dcontent_bias_stride[1]; /* of [Hq] */
  int64_t dposition_bias_stride[1]; /* of [Hq] */
  int64_t dposition_keys_stride[2]; /* of [P, Hq~] */
  int64_t dbias_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t drelative_table_stride[2]; /* of [Hq, N] */
  int64_t dmodifier_table_stride[2]; /* of [Hq~, C] */
  int64_t dalibi_slopes_stride[2]; /* of [B~, Hq~] */
  int64_t dgaussian_centers_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t dspans_stride[3]; /* of [B~, Hq~, Sq~] */
  int64_t dkey_gates_stride[2]; /* of [B~, Hq~] */
  int64_t doutput_gates_stride[4]; /* of [B, Sq, Hq, Dv~] */
} fovea_attention_spec;
/* end */

/*
 * Scaled dot-product attention. value may be the first columns of key, in the same memory, as multi-head latent
 * attention in its absorbed form has them (DeepSeek-V2, arXiv 2405.04434: D 576, Dv 512). CUDA kernels take D and Dv
 * beyond 256 in a forward pass without weights, content_bias and position_keys. Operands beside query, key, value,
 * out and lse:
 *   content_bias  [Hq, D] float32: u (Dai et al., arXiv 1901.02860)
 *   position_bias [Hq, D] float32: w, with position_keys
 *   position_keys [P, Hq or 1, D] of dtype: r, a key for each distance, the first dimensions strided. Row
 *                 position_origin + t is r_t. Each distance that lengths up to query_length and key_length,
 *                 causal mask and windows let a pair have must have a row; others are not read. They are of
 *                 dtype since they are factors of a product like keys, u and w float32 since they are learned
 *   bias          [B or 1, Hq or 1, Sq or 1, Sk] of bias_dtype; packed: [Hq or 1, Tq or 1, Sk]
 *   mask          likewise, bytes: query i sees key j where it is not 0
 *   image_width W, window_rows, window_columns: positions are pixels, row by row; of the rows and columns of the
 *                 pixels at pos_i and j, neither differ by more than that. Not with a block mask.
 *   block_offsets [B or 1, Hq or 1, R], block_indices [B or 1, Hq or 1, L]: a block mask in compressed rows.
 *                 Queries [m Mb, (m + 1) Mb) of a sequence, with Mb = block_queries, are block row m, and see
 *                 the keys [n Nb, (n + 1) Nb), Nb = block_keys, of each n in indices [offsets[m], offsets[m + 1]),
 *                 which rise strictly: of others nothing is said but that they lead nowhere else. R is
 *                 ceil(Sq / Mb) + 1. Only tiles of keys with a listed block are computed
 *   relative_table    [Hq, N] float32, both dimensions strided (Raffel et al., arXiv 1910.10683): what is added
 *                 to x_ij for each bucket of distances
 *   relative_buckets  [W] int32: the bucket of distance d is element d + (W - 1) / 2, of those farther away
 *                 the first or last; one outside of the table is taken as its first or last column
 *   modifier_program  [P] int32, what a dev.fovea.ScoreModifier's words() are: x_ij = f(x_ij, b, h, pos_i, j, table_h)
 *                 behind the scale and before softcap. It is in host memory and checked by each run: one that is
 *                 not such a program is refused. CPU
 *   modifier_table  [Hq or 1, C] float32 with any strides, what it looks up; a column outside is the first or last
 *   alibi_slopes  [Hq] or [B, Hq] float32: x_ij += slope * (j - pos_i), not causal: -slope * |j - pos_i|
 *   gaussian_centers  [B or 1, Hq or 1, Sq or 1] float32, as keys; packed: [Hq or 1, Tq or 1]. sigma is
 *                 gaussian_sigma (Luong et al., arXiv 1508.04025, local-p)
 *   spans         likewise: keys that are seen in full; R is span_ramp (Sukhbaatar et al., arXiv 1905.07799)
 *   key_gates     [B or 1, Hq or 1, Sk] float32, logits; packed: [Hq or 1, Tk], rows as those of key. Nothing is
 *                 divided by a sum again: lse and weights are those before gates
 *   output_gates  [B, Sq, Hq, Dv] of output_gates_dtype, logits, the last stride 1, or 0 for one gate of a head
 *                 (Qiu et al., arXiv 2505.06708)
 *   block_table   [B, E] int32: key and value are pages of a cache (Kwon et al., arXiv 2309.06180), [G, Z, Hk, D] and
 *                 [G, Z, Hk, Dv], G = page_count, and Z = page_size, a power of two; their strides are those of page,
 *                 row and head. Key j of sequence b is row j mod Z of page block_table[b, j / Z]. key_length, at most
 *                 E Z, is the longest; key_lengths are lengths. Entries of pages with no key that a query of the
 *                 sequence sees are not read: those behind its length, and those before a left window of its first
 *                 query. The CPU refuses others that are no page; a CUDA kernel clamps them. With `packed` the queries
 *                 alone are packed: there are no cu_seqlens_k, and what has dimension Sk but not Sq is as without
 *   cache_dtype   the type of key and value, of dtype where it is 0. Rows of FOVEA_INT4X2 are D / 2 bytes. CUDA:
 *                 products with a cache of floats of another type than dtype are in exact float32, as are those of
 *                 float32 queries with any cache, whatever allow_tf32 is
 *   query_scales  [B or 1, Hk or 1] float32, of queries of FOVEA_FLOAT8_E4M3: what their elements are multiplied by.
 *                 Such queries need an out_dtype, and go neither with content_bias nor with position_keys. Where keys
 *                 and values are of that type, too, a device may round weights to it: e4m3(256 exp(x_ij - m_i)) for
 *                 exp(x_ij - m_i), m_i the largest x of the row as far as it has been seen. They are summed before that
 *   key_scales, value_scales  [B, Sk or 1, Hk] float32; with pages [G, Z or 1, Hk], one for each row, or for each page
 *                 where the stride of that dimension is 0: what elements of key and value are multiplied by
 *   tree_mask     [B or 1, Sq, Sq] bytes; packed: [Tq, Sq]: of the last len_q keys, which are those of the queries,
 *                 query i sees key len_k - len_q + j only where tree_mask[i, j] is not 0 (Miao et al., arXiv 2305.09781)
 *   These have no part in a backward pass.
 *   sinks         [Hq] float32, in the units of x
 *   weights       [B, Hq, Sq, Sk] float32, p_ij before dropout; packed: [Hq, Tq, Sk]
 *   top_weights   [B, Hq, Sq, K] float32, the K largest p_ij of each query in falling order; of equal ones
 *                 that of the lowest key comes first, and NaN before all. Packed: [Hq, Tq, K]
 *   top_keys      [B, Hq, Sq, K] int32, the keys that have them. Behind the last weight that is not 0:
 *                 weights of 0, and -1 for the key. Both or neither
 *   ungated       [B, Sq, Hq, Dv] of out_dtype, out before output_gates
 * A padding query gives out = ungated = 0, lse = -inf, weights = 0; the weight of a padding key is 0.
 *
 * The backward pass gives the exact gradients, from what the forward was given and gave: with
 * delta_i = <dout_i, out_i>, p_ij the weights and r_ij what dropout multiplies them by,
 *
 *   dvalue_j = sum_i r_ij p_ij dout_i;  ds_ij = p_ij (r_ij <dout_i, value_j> - delta_i)
 *   dtable_hn = sum of ds_ij df/dtable_hn before softcap, of modifier_program
 *   dbias_ij = ds_ij;  dtable_hn = sum of ds_ij where bucket(j - pos_i) = n;  dslope = sum_ij ds_ij * distance_ij;  dsink = -sum_i exp(sink - lse_i) delta_i
 *   dcenter_i = sum_j ds_ij (j - center_i) / sigma^2
 *   dspan_i = sum_j ds_ij / (R + span_i - (pos_i - j)), over the keys of the ramp
 *   t_ij = scale * ds_ij, times 1 - tanh^2 with a softcap
 *   dquery_i = sum_j t_ij key_j;  dkey_j = sum_i t_ij query_i
 *   with u, w and r: dquery_i = sum_j t_ij (key_j + r_n), n = pos_i - j;  dkey_j = sum_i t_ij (query_i + u);
 *   du = sum_ij t_ij key_j;  dw = sum_ij t_ij r_n;  dr_n = sum of t_ij (query_i + w) where pos_i - j = n
 *
 *   dkey_gate_j = s_j (1 - s_j) sum_i r_ij p_ij <dout_i, value_j>, where s_j = sigmoid(key_gate_j) joins r_ij in
 *                 dvalue and ds
 *   doutput_gate_id = s_id (1 - s_id) dout_id out_id, where s_id = sigmoid(output_gate_id)
 *
 * With output_gates the `out` that a backward pass takes is the forward's `ungated`: where a gate is shut, out
 * says nothing of it. In all but the last of these formulas dout_id then stands for s_id dout_id.
 *
 * dkey and dvalue are summed over the query heads of their group, and with `accumulate` added to
 * what is there. Padding has gradients of zero, as has a row that sees no key. Same dropout_seed and
 * dropout_offset as the forward. An lse of 4096 ln 2 or more in magnitude, which float32 is too coarse
 * for, is computed again from these keys, and taken as it is where it is not theirs alone.
 *
 *   dcontent_bias, dposition_bias  [Hq, D] float32
 *   dposition_keys [P, Hq or 1, D] of gradient_dtype; a head stride of 0 is a sum over heads. Rows that no pair has
 *                  are 0
 *   dbias          [B or 1, Hq or 1, Sq or 1, Sk] float32; packed: [Hq or 1, Tq or 1, Sk]
 *   drelative_table  [Hq, N] float32
 *   dalibi_slopes  [Hq] or [B, Hq] float32
 *   dgaussian_centers, dspans  as centers and spans: a dimension of stride 0 is summed over
 *   dkey_gates     [B or 1, Hq or 1, Sk] float32; packed: [Hq or 1, Tk]. A dimension of stride 0 is summed over
 *   doutput_gates  [B, Sq, Hq, Dv] float32, the last stride 1, or 0 for a sum over the elements of a head
 *   dsinks         [Hq] float32
 *
 * (Dao, FlashAttention-2, arXiv 2307.08691, section 3.1.2.)
 */
/* generated from ops/attention.op: functions */
FOVEA_API int32_t fovea_plan_attention(const fovea_attention_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_attention(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* query_scales, const float* key_scales,
    const float* value_scales, const int32_t* block_table, const uint8_t* tree_mask,
    const float* content_bias, const float* position_bias, const void* position_keys,
    const void* bias, const uint8_t* mask, const int32_t* block_offsets,
    const int32_t* block_indices, const float* relative_table, const int32_t* relative_buckets,
    const int32_t* modifier_program, const float* modifier_table, const float* alibi_slopes,
    const float* gaussian_centers, const float* spans, const float* key_gates,
    const void* output_gates, const float* sinks, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* lse, float* weights, float* top_weights, int32_t* top_keys, void* ungated,
    void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_attention_backward(const fovea_plan* plan, fovea_call* call,
    const void* query, const void* key, const void* value, const float* query_scales,
    const float* key_scales, const float* value_scales, const int32_t* block_table,
    const uint8_t* tree_mask, const float* content_bias, const float* position_bias,
    const void* position_keys, const void* bias, const uint8_t* mask, const int32_t* block_offsets,
    const int32_t* block_indices, const float* relative_table, const int32_t* relative_buckets,
    const int32_t* modifier_program, const float* modifier_table, const float* alibi_slopes,
    const float* gaussian_centers, const float* spans, const float* key_gates,
    const void* output_gates, const float* sinks, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    const void* dout, const void* out, const float* lse, void* dquery, void* dkey, void* dvalue,
    float* dcontent_bias, float* dposition_bias, void* dposition_keys, float* dbias,
    float* drelative_table, float* dmodifier_table, float* dalibi_slopes, float* dgaussian_centers,
    float* dspans, float* dkey_gates, float* doutput_gates, float* dsinks, void* workspace,
    void* scratch, void* stream);
/* end */

/* ---- additive attention ----------------------------------------------------------------------
 *
 * query [B, Sq, Hq, A] and key [B, Sk, Hk, A], both projected already, value [B, Sk, Hk, Dv], weight
 * [Hq, A] and bias [Hq, A] float32, out [B, Sq, Hq, Dv] and lse [B, Hq, Sq] in any stride order;
 * `packed` as for attention.
 *
 *   t_ija = tanh(q_ia + k_ja + bias_a);  x_ij = sum_a weight_a t_ija;  x_ij = -inf where masked
 *   lse_i = ln sum_j exp(x_ij);  p_ij = exp(x_ij - lse_i);  out_i = sum_j dropout(p_ij) v_j
 *
 * A row that sees no key gives out = 0 and lse = -inf. Query head h has a weight and bias of its own,
 * and reads key/value head h / (Hq / Hk). With one query and one head this is attention pooling.
 * (Bahdanau et al., arXiv 1409.0473.)
 */

/* generated from ops/additive.op: spec */
typedef struct fovea_additive_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t packed; /* 1 = ragged: cu_seqlens_* are given, batch strides are unused */
  int32_t causal; /* 1 = key j is seen by query i where j <= pos_i */
  int32_t alignment; /* FOVEA_BOTTOM_RIGHT or FOVEA_TOP_LEFT: defines pos_i everywhere */
  int32_t has_window_left; /* 0 = none: window_left is not read */
  int32_t has_window_right; /* 0 = none: window_right is not read */
  int32_t has_bias; /* 1 = bias is given */
  int32_t has_query_lengths; /* 1 = query_lengths is given */
  int32_t has_key_lengths; /* 1 = key_lengths is given */
  int32_t has_lse; /* 1 = lse is given */
  int32_t has_weights; /* 1 = weights is given */
  int32_t has_top_weights; /* 1 = top_weights is given */
  int32_t has_top_keys; /* 1 = top_keys is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dweight; /* backward: 1 = dweight is written */
  int32_t has_dbias; /* backward: 1 = dbias is written */
  float dropout; /* probability of dropping, 0 <= dropout < 1 */
  int64_t window_left; /* >= 0; only keys j >= pos_i - window_left */
  int64_t window_right; /* >= 0; only keys j <= pos_i + window_right */
  int64_t batch; /* B: sequences */
  int64_t query_length; /* Sq: packed: at least the longest query sequence */
  int64_t key_length; /* Sk: packed: at least the longest key sequence */
  int64_t query_heads; /* Hq: a multiple of key_heads */
  int64_t key_heads; /* Hk */
  int64_t head_dim; /* A: of query and key, which are projected already */
  int64_t value_head_dim; /* Dv */
  int64_t top_count; /* K: of the largest weights of a query that are listed */
  int64_t query_total; /* Tq: packed: rows of query, at most batch * query_length; else 0 */
  int64_t key_total; /* Tk: packed: rows of key and value, at most batch * key_length; else 0 */
  int64_t query_stride[3]; /* of [B, Sq, Hq] */
  int64_t key_stride[3]; /* of [B, Sk, Hk] */
  int64_t value_stride[3]; /* of [B, Sk, Hk] */
  int64_t weight_stride[1]; /* of [Hq] */
  int64_t bias_stride[1]; /* of [Hq] */
  int64_t out_stride[3]; /* of [B, Sq, Hq] */
  int64_t lse_stride[2]; /* of [B, Hq] */
  int64_t weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_keys_stride[3]; /* of [B, Hq, Sq] */
  int64_t dout_stride[3]; /* of [B, Sq, Hq] */
  int64_t dquery_stride[3]; /* of [B, Sq, Hq] */
  int64_t dkey_stride[3]; /* of [B, Sk, Hk] */
  int64_t dvalue_stride[3]; /* of [B, Sk, Hk] */
  int64_t dweight_stride[1]; /* of [Hq] */
  int64_t dbias_stride[1]; /* of [Hq] */
} fovea_additive_spec;
/* end */

/*
 * Additive attention. Operands beside query, key, value, weight, bias, out and lse:
 *   weights       [B, Hq, Sq, Sk] float32, p_ij before dropout; packed: [Hq, Tq, Sk]
 *   top_weights   [B, Hq, Sq, K] float32, the K largest p_ij of each query in falling order; of equal ones
 *                 that of the lowest key comes first, and NaN before all. Packed: [Hq, Tq, K]
 *   top_keys      [B, Hq, Sq, K] int32, the keys that have them. Behind the last weight that is not 0:
 *                 weights of 0, and -1 for the key. Both or neither
 * A padding query gives out = 0, lse = -inf, weights = 0; the weight of a padding key is 0.
 *
 * The backward pass gives the exact gradients, from what the forward was given and gave: with
 * delta_i = <dout_i, out_i>, p_ij as above and r_ij what dropout multiplies weights by,
 *
 *   dvalue_j = sum_i r_ij p_ij dout_i;  ds_ij = p_ij (r_ij <dout_i, value_j> - delta_i)
 *   du_ija = ds_ij weight_a (1 - t_ija^2);  dquery_ia = sum_j du_ija;  dkey_ja = sum_i du_ija
 *   dweight_a = sum_ij ds_ij t_ija;  dbias_a = sum_ij du_ija
 *
 * where dkey and dvalue are summed over the query heads of their group, dweight and dbias over the
 * batch. Padding has gradients of zero, as has a row that sees no key. Same dropout_seed and
 * dropout_offset as the forward. An lse of 4096 ln 2 or more in magnitude, which float32 is too
 * coarse for, is computed again from these keys, and taken as it is where it is not theirs.
 *
 *   dweight       [Hq, A] float32
 *   dbias         [Hq, A] float32
 */
/* generated from ops/additive.op: functions */
FOVEA_API int32_t fovea_plan_additive(const fovea_additive_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_additive(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* weight, const float* bias,
    const int32_t* cu_seqlens_q, const int32_t* cu_seqlens_k, const int32_t* query_lengths,
    const int32_t* key_lengths, void* out, float* lse, float* weights, float* top_weights,
    int32_t* top_keys, void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_additive_backward(const fovea_plan* plan, fovea_call* call,
    const void* query, const void* key, const void* value, const float* weight, const float* bias,
    const int32_t* cu_seqlens_q, const int32_t* cu_seqlens_k, const int32_t* query_lengths,
    const int32_t* key_lengths, const void* dout, const void* out, const float* lse, void* dquery,
    void* dkey, void* dvalue, float* dweight, float* dbias, void* workspace, void* scratch,
    void* stream);
/* end */

/* ---- distance attention ----------------------------------------------------------------------
 *
 * query [B, Sq, Hq, D], key [B, Sk, Hk, D], value [B, Sk, Hk, Dv], bandwidth [Hq] float32, out
 * [B, Sq, Hq, Dv] and lse [B, Hq, Sq] in any stride order; `packed` as for attention.
 *
 *   x_ij = -|q_i - k_j|^2 / (2 bandwidth^2);  x_ij = -inf where masked
 *   lse_i = ln sum_j exp(x_ij);  p_ij = exp(x_ij - lse_i);  out_i = sum_j dropout(p_ij) v_j
 *
 * which is kernel regression (Nadaraya, 1964; Watson, 1964) with the Gaussian kernel. Distances are
 * sums of squared differences: what queries and keys have in common cancels, however large. A row
 * that sees no key gives out = 0 and lse = -inf, and so does one whose squared distances all leave
 * float32. Query head h has a bandwidth of its own, of which only the square matters, and reads
 * key/value head h / (Hq / Hk). Rows of a head whose bandwidth is 0 or NaN are NaN.
 *
 * That is the local constant fit. FOVEA_LOCAL_LINEAR fits a plane to the values around each query by
 * weighted least squares, of which out is the height at the query (Cleveland, 1979; Cleveland and
 * Devlin, 1988; Atkeson, Moore and Schaal, 1997): of a + <b, y_ij> that with the least
 * sum_j p_ij |v_j - a - <b, y_ij>|^2 + ridge |b|^2, where y_ij = (k_j - q_i) / |bandwidth|, it is a.
 * So
 *
 *   m_i = sum_j p_ij y_ij;  c_i = (sum_j p_ij (y_ij - m_i) (y_ij - m_i)^T + ridge I)^-1 m_i
 *   f_ij = 1 - <c_i, y_ij - m_i>;  out_i = sum_j dropout(p_ij f_ij) v_j
 *
 * where sum_j p_ij f_ij = 1, and some f_ij may be negative; lse and weights are those before the fit. A
 * ridge of 0 counts as 2^-32: keys that determine a plane have that one, and along directions in which
 * they do not vary it is level. D is FOVEA_MOST_FIT_DIM at most. Planes are computed in float64, so that
 * no keys are too close to a plane of fewer dimensions. They err as their weights do in float32, relative
 * by some 2^-21 |x_ij|: nothing is promised of out and gradients of a row where keys of more than 2^18 / D
 * in |x_ij| weigh.
 */

/* generated from ops/distance.op: spec */
typedef struct fovea_distance_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t packed; /* 1 = ragged: cu_seqlens_* are given, batch strides are unused */
  int32_t causal; /* 1 = key j is seen by query i where j <= pos_i */
  int32_t alignment; /* FOVEA_BOTTOM_RIGHT or FOVEA_TOP_LEFT: defines pos_i everywhere */
  int32_t has_window_left; /* 0 = none: window_left is not read */
  int32_t has_window_right; /* 0 = none: window_right is not read */
  int32_t fit; /* FOVEA_LOCAL_CONSTANT or FOVEA_LOCAL_LINEAR */
  int32_t has_query_lengths; /* 1 = query_lengths is given */
  int32_t has_key_lengths; /* 1 = key_lengths is given */
  int32_t has_lse; /* 1 = lse is given */
  int32_t has_weights; /* 1 = weights is given */
  int32_t has_top_weights; /* 1 = top_weights is given */
  int32_t has_top_keys; /* 1 = top_keys is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dbandwidth; /* backward: 1 = dbandwidth is written */
  float dropout; /* probability of dropping, 0 <= dropout < 1 */
  float ridge; /* of a linear fit, in squares of the bandwidth; 0 = 2^-32 */
  int64_t window_left; /* >= 0; only keys j >= pos_i - window_left */
  int64_t window_right; /* >= 0; only keys j <= pos_i + window_right */
  int64_t batch; /* B: sequences */
  int64_t query_length; /* Sq: packed: at least the longest query sequence */
  int64_t key_length; /* Sk: packed: at least the longest key sequence */
  int64_t query_heads; /* Hq: a multiple of key_heads */
  int64_t key_heads; /* Hk */
  int64_t head_dim; /* D: of query and key */
  int64_t value_head_dim; /* Dv */
  int64_t top_count; /* K: of the largest weights of a query that are listed */
  int64_t query_total; /* Tq: packed: rows of query, at most batch * query_length; else 0 */
  int64_t key_total; /* Tk: packed: rows of key and value, at most batch * key_length; else 0 */
  int64_t query_stride[3]; /* of [B, Sq, Hq] */
  int64_t key_stride[3]; /* of [B, Sk, Hk] */
  int64_t value_stride[3]; /* of [B, Sk, Hk] */
  int64_t out_stride[3]; /* of [B, Sq, Hq] */
  int64_t lse_stride[2]; /* of [B, Hq] */
  int64_t weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_weights_stride[3]; /* of [B, Hq, Sq] */
  int64_t top_keys_stride[3]; /* of [B, Hq, Sq] */
  int64_t dout_stride[3]; /* of [B, Sq, Hq] */
  int64_t dquery_stride[3]; /* of [B, Sq, Hq] */
  int64_t dkey_stride[3]; /* of [B, Sk, Hk] */
  int64_t dvalue_stride[3]; /* of [B, Sk, Hk] */
} fovea_distance_spec;
/* end */

/*
 * Distance attention. Operands beside query, key, value, bandwidth, out and lse:
 *   weights       [B, Hq, Sq, Sk] float32, p_ij before dropout; packed: [Hq, Tq, Sk]
 *   top_weights   [B, Hq, Sq, K] float32, the K largest p_ij of each query in falling order; of equal ones
 *                 that of the lowest key comes first, and NaN before all. Packed: [Hq, Tq, K]
 *   top_keys      [B, Hq, Sq, K] int32, the keys that have them. Behind the last weight that is not 0:
 *                 weights of 0, and -1 for the key. Both or neither
 * A padding query gives out = 0, lse = -inf, weights = 0; the weight of a padding key is 0.
 *
 * The backward pass gives the exact gradients, from what the forward was given and gave: with
 * delta_i = <dout_i, out_i>, p_ij the weights and r_ij what dropout multiplies them by,
 *
 *   dvalue_j = sum_i r_ij p_ij dout_i;  ds_ij = p_ij (r_ij <dout_i, value_j> - delta_i)
 *   u_ij = ds_ij (k_j - q_i) / bandwidth^2;  dquery_i = sum_j u_ij;  dkey_j = -sum_i u_ij
 *   dbandwidth = -2 / bandwidth sum_ij ds_ij x_ij
 *
 * or for a linear fit, with e_i the slopes of the plane that fits g_ij = r_ij <dout_i, value_j> as that
 * above fits v_j, t_ij = g_ij - sum_j p_ij g_ij - <e_i, y_ij - m_i> and h = |bandwidth|,
 *
 *   dvalue_j = sum_i r_ij p_ij f_ij dout_i;  ds_ij = p_ij (f_ij t_ij + ridge <c_i, e_i>)
 *   dquery_i = sum_j u_ij + e_i / h;  dkey_j = -sum_i (u_ij + p_ij (f_ij e_i + t_ij c_i) / h)
 *   dbandwidth = -2 / bandwidth (sum_ij ds_ij x_ij - ridge sum_i <c_i, e_i>)
 *
 * which takes p_ij from the keys, and from lse only which rows see none. dkey and dvalue are summed
 * over the query heads of their group, dbandwidth over the batch.
 * Padding has gradients of zero, as has a row that sees no key. Same dropout_seed and
 * dropout_offset as the forward. An lse of 4096 ln 2 or more in magnitude, which float32 is too
 * coarse for, is computed again from these keys, and taken as it is where it is not theirs.
 *
 *   dbandwidth    [Hq] float32
 */
/* generated from ops/distance.op: functions */
FOVEA_API int32_t fovea_plan_distance(const fovea_distance_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_distance(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* bandwidth, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* lse, float* weights, float* top_weights, int32_t* top_keys, void* workspace,
    void* scratch, void* stream);

FOVEA_API int32_t fovea_run_distance_backward(const fovea_plan* plan, fovea_call* call,
    const void* query, const void* key, const void* value, const float* bandwidth,
    const int32_t* cu_seqlens_q, const int32_t* cu_seqlens_k, const int32_t* query_lengths,
    const int32_t* key_lengths, const void* dout, const void* out, const float* lse, void* dquery,
    void* dkey, void* dvalue, float* dbandwidth, void* workspace, void* scratch, void* stream);
/* end */

/* ---- linear attention ------------------------------------------------------------------------
 *
 * query [B, Sq, Hq, D], key [B, Sk, Hk, D], value [B, Sk, Hk, Dv] and out [B, Sq, Hq, Dv] in any stride
 * order; `packed` as for attention. Each key head h has a state S [D, Dv], which its keys change in their
 * order and the query heads of its group read. With a_j = exp(decay_j + key_decay_j), absent ones being 0,
 * of every row d of S,
 *
 *   S_j = a_j S_(j-1) + phi(key_j) u_j^T;  u_j = value_j
 *   with beta, the delta rule:  u_j = beta_j (value_j - (a_j S_(j-1))^T phi(key_j))
 *   out_i = scale phi(query_i)^T S_(pos_i)
 *   normalised:  out_i = phi(query_i)^T S_(pos_i) / phi(query_i)^T z_(pos_i), with z as S where u_j = 1
 *
 * where S_(-1) is initial_state, 0 if absent, z_(-1) likewise initial_sum, and pos_i = i + key length -
 * query length. A query before all keys, pos_i < 0, reads initial_state; where a denominator is 0, out is 0.
 * Not causal, every query reads the state behind the last key; decays and beta are then refused, for they
 * depend on order, and so is beta where out is normalised. Sums and states are float32. (Katharopoulos et
 * al., arXiv 2006.16236; retention, a decay for each head: Sun et al., arXiv 2307.08621; decays by data:
 * Yang et al., arXiv 2312.06635; the delta rule: arXiv 2406.06484, 2412.06464.)
 */

/* generated from ops/linear.op: spec */
typedef struct fovea_linear_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t decay_dtype; /* 0 = no decay */
  int32_t key_decay_dtype; /* 0 = no key_decay */
  int32_t beta_dtype; /* 0 = no beta */
  int32_t packed; /* 1 = ragged: cu_seqlens_* are given, batch strides are unused */
  int32_t causal; /* 1 = key j is seen by query i where j <= pos_i */
  int32_t normalised; /* 1 = out is divided by the sum of its weights */
  int32_t feature_map; /* FOVEA_IDENTITY, _ELU_PLUS_ONE or _RELU: of query and key */
  int32_t has_scale; /* 0 = none: scale is not read */
  int32_t has_initial_state; /* 1 = initial_state is given */
  int32_t has_initial_sum; /* 1 = initial_sum is given */
  int32_t has_query_lengths; /* 1 = query_lengths is given */
  int32_t has_key_lengths; /* 1 = key_lengths is given */
  int32_t has_final_state; /* 1 = final_state is given */
  int32_t has_final_sum; /* 1 = final_sum is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_ddecay; /* backward: 1 = ddecay is written */
  int32_t has_dkey_decay; /* backward: 1 = dkey_decay is written */
  int32_t has_dbeta; /* backward: 1 = dbeta is written */
  int32_t has_dinitial_state; /* backward: 1 = dinitial_state is written */
  int32_t has_dinitial_sum; /* backward: 1 = dinitial_sum is written */
  float scale; /* of out where it is not normalised; absent: 1 */
  int32_t reserved0; /* zero */
  int64_t batch; /* B: sequences */
  int64_t query_length; /* Sq: packed: at least the longest query sequence */
  int64_t key_length; /* Sk: packed: at least the longest key sequence */
  int64_t query_heads; /* Hq: a multiple of key_heads */
  int64_t key_heads; /* Hk */
  int64_t head_dim; /* D */
  int64_t value_head_dim; /* Dv */
  int64_t query_total; /* Tq: packed: rows of query, at most batch * query_length; else 0 */
  int64_t key_total; /* Tk: packed: rows of key and value, at most batch * key_length; else 0 */
  int64_t query_stride[3]; /* of [B, Sq, Hq] */
  int64_t key_stride[3]; /* of [B, Sk, Hk] */
  int64_t value_stride[3]; /* of [B, Sk, Hk] */
  int64_t decay_stride[3]; /* of [B~, Sk~, Hk] */
  int64_t key_decay_stride[3]; /* of [B, Sk, Hk] */
  int64_t beta_stride[3]; /* of [B, Sk, Hk] */
  int64_t initial_state_stride[3]; /* of [B, Hk, D] */
  int64_t initial_sum_stride[2]; /* of [B, Hk] */
  int64_t out_stride[3]; /* of [B, Sq, Hq] */
  int64_t final_state_stride[3]; /* of [B, Hk, D] */
  int64_t final_sum_stride[2]; /* of [B, Hk] */
  int64_t dout_stride[3]; /* of [B, Sq, Hq] */
  int64_t dquery_stride[3]; /* of [B, Sq, Hq] */
  int64_t dkey_stride[3]; /* of [B, Sk, Hk] */
  int64_t dvalue_stride[3]; /* of [B, Sk, Hk] */
  int64_t ddecay_stride[3]; /* of [B~, Sk~, Hk] */
  int64_t dkey_decay_stride[3]; /* of [B, Sk, Hk] */
  int64_t dbeta_stride[3]; /* of [B, Sk, Hk] */
  int64_t dinitial_state_stride[3]; /* of [B, Hk, D] */
  int64_t dinitial_sum_stride[2]; /* of [B, Hk] */
} fovea_linear_spec;
/* end */

/*
 * Linear attention. Operands beside query, key, value and out:
 *   decay         [B, Sk, Hk] of any type, natural logarithms, 0 or less unless states are to grow;
 *                 stride 0 for what sequences or positions share, as the decay of a head in retention
 *   key_decay     [B, Sk, Hk, D] of any type, likewise, for each row of the state
 *   beta          [B, Sk, Hk] of any type: how much of what the state holds for a key gives way to its value
 *   initial_state, final_state   [B, Hk, D, Dv] float32: before the first and behind the last key
 *   initial_sum, final_sum       [B, Hk, D] float32: likewise z, where out is normalised
 * A padding query gives out = 0; a padding key changes nothing.
 *
 * The backward pass gives the exact gradients for a gradient of out alone: final_state and final_sum lead
 * nowhere. With dquery, dkey, dvalue come, each float32 and where asked, ddecay, dkey_decay, dbeta,
 * dinitial_state and dinitial_sum, of the shapes of what they are of; a stride of 0 in ddecay is a sum.
 * dkey, dvalue and those are sums over the query heads of a group. Padding has gradients of zero.
 */
/* generated from ops/linear.op: functions */
FOVEA_API int32_t fovea_plan_linear(const fovea_linear_spec* spec, const fovea_device_info* device,
    fovea_plan* plan);

FOVEA_API int32_t fovea_run_linear(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const void* decay, const void* key_decay, const void* beta,
    const float* initial_state, const float* initial_sum, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* final_state, float* final_sum, void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_linear_backward(const fovea_plan* plan, fovea_call* call,
    const void* query, const void* key, const void* value, const void* decay, const void* key_decay,
    const void* beta, const float* initial_state, const float* initial_sum,
    const int32_t* cu_seqlens_q, const int32_t* cu_seqlens_k, const int32_t* query_lengths,
    const int32_t* key_lengths, const void* dout, const void* out, void* dquery, void* dkey,
    void* dvalue, float* ddecay, float* dkey_decay, float* dbeta, float* dinitial_state,
    float* dinitial_sum, void* workspace, void* scratch, void* stream);
/* end */

/* ---- merge of partial results ------------------------------------------------------------------
 *
 * outs [P, B, Sq, Hq, Dv] and lses [P, B, Hq, Sq] float32 are what attention gave over P sets of keys that share
 * none; sinks [Hq] float32. out [B, Sq, Hq, Dv] and lse [B, Hq, Sq] float32 are what it gives over all of them:
 *
 *   lse = ln( sum_p exp(lses_p) [+ exp(sinks)] )
 *   out = sum_p exp(lses_p - lse) outs_p
 *
 * with lses_p the lse of the row in part p, in any stride order. Logarithms are natural, as every lse here is. Parts
 * have no sinks: who gave them to each part would count them P times. Packed sequences are one, B = 1.
 *
 * A part whose lse is -infinity, which is what attention gives where a row sees no key, or is more than 88 below
 * the largest of the row, sinks among them, adds nothing, and its row of outs is not read: it may hold anything. A row
 * whose parts are all -infinity gives out = 0 and lse = -infinity, or that of its sink. One of +infinity or NaN
 * gives NaN for the row of out and its lse, and so does a sink. Infinities and NaN in outs go by the arithmetic,
 * but where lses_p is between 87 and 88 below the largest may count as either.
 *
 * Arithmetic is float32; parts are added in their order, so that a row has the same bits in any batch. (Milakov and
 * Gimelshein, arXiv 1805.02867; Juravsky et al., Hydragen, arXiv 2402.05099; Ye et al., FlashInfer, arXiv
 * 2501.01005, section 3.)
 */

/* generated from ops/merge.op: spec */
typedef struct fovea_merge_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* not read */
  int32_t has_sinks; /* 1 = sinks is given */
  int32_t has_lse; /* 1 = lse is given */
  int32_t reserved0; /* zero */
  int64_t batch; /* B: sequences */
  int64_t parts; /* P: sets of keys */
  int64_t query_length; /* Sq */
  int64_t query_heads; /* Hq */
  int64_t value_head_dim; /* Dv */
  int64_t outs_stride[4]; /* of [P, B, Sq, Hq] */
  int64_t lses_stride[3]; /* of [P, B, Hq] */
  int64_t out_stride[3]; /* of [B, Sq, Hq] */
  int64_t lse_stride[2]; /* of [B, Hq] */
} fovea_merge_spec;
/* end */

/* Merge: there is no backward pass. */
/* generated from ops/merge.op: functions */
FOVEA_API int32_t fovea_plan_merge(const fovea_merge_spec* spec, const fovea_device_info* device,
    fovea_plan* plan);

FOVEA_API int32_t fovea_run_merge(const fovea_plan* plan, fovea_call* call, const void* outs,
    const float* lses, const float* sinks, void* out, float* lse, void* workspace, void* scratch,
    void* stream);
/* end */

/* ---- projection of sequences -----------------------------------------------------------------
 *
 * x [B, S, H, D] and out [B, R, H, D] in any stride order, weight [H or 1, R, S], for each sequence:
 *
 *   out_rhd = sum_j weight_hrj x_jhd, over the positions j below its length
 *
 * Low-rank attention projects keys and values so, and attends to R of them instead of S. A shorter
 * sequence has the first columns of weight, and one of length 0 gives 0. weight has the type of x, since
 * both are factors of one product; sums are float32. (Wang et al., Linformer, arXiv 2006.04768, section 4.)
 */

/* generated from ops/projection.op: spec */
typedef struct fovea_projection_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t has_lengths; /* 1 = lengths is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dweight; /* backward: 1 = dweight is written */
  int32_t reserved0; /* zero */
  int64_t batch; /* B: sequences */
  int64_t length; /* S: of the longest */
  int64_t rank; /* R: rows of weight: the length that sequences are projected to */
  int64_t heads; /* H */
  int64_t head_dim; /* D */
  int64_t x_stride[3]; /* of [B, S, H] */
  int64_t weight_stride[2]; /* of [H~, R] */
  int64_t out_stride[3]; /* of [B, R, H] */
  int64_t dout_stride[3]; /* of [B, R, H] */
  int64_t dx_stride[3]; /* of [B, S, H] */
  int64_t dweight_stride[2]; /* of [H~, R] */
} fovea_projection_spec;
/* end */

/*
 * Projection of sequences. The backward pass gives the exact gradients, from what the forward was given:
 *
 *   dx_jhd = sum_r weight_hrj dout_rhd, 0 from the length of a sequence on
 *   dweight_hrj = sum_bd dout_brhd x_bjhd, over the sequences that have position j
 *
 * dweight is float32, and with `accumulate` added to what is there, as where keys and values share a
 * weight. A head stride of 0 makes it a sum over heads, in the order of sequences, then heads.
 */
/* generated from ops/projection.op: functions */
FOVEA_API int32_t fovea_plan_projection(const fovea_projection_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_projection(const fovea_plan* plan, fovea_call* call, const void* x,
    const void* weight, const int32_t* lengths, void* out, void* workspace, void* scratch,
    void* stream);

FOVEA_API int32_t fovea_run_projection_backward(const fovea_plan* plan, fovea_call* call,
    const void* x, const void* weight, const int32_t* lengths, const void* dout, void* dx,
    float* dweight, void* workspace, void* scratch, void* stream);
/* end */

/* ---- rotary position embedding ---------------------------------------------------------------
 *
 * x [B, S, H, D] and out alike in any stride order, cosines and sines [B or 1, P, C] float32, positions
 * [B or 1, S]. Of each row the first 2 C elements are C pairs (x_a, x_b), with a = c and b = c + C, or, if
 * `interleaved`, a = 2c and b = 2c + 1; with t = positions_bs, or t = s where there are none:
 *
 *   out_a = cosines_tc x_a - sines_tc x_b
 *   out_b = cosines_tc x_b + sines_tc x_a
 *
 * Elements from 2 C on are copied. Without positions the tables have a row for each of S. The tables are the
 * caller's, so that any base, scaling or partial rotary dimension is theirs to choose. Arithmetic is float32.
 * The CPU refuses a position that is no row of the tables; a CUDA kernel, which cannot report it, gives NaN for
 * all pairs of its rows. (Su et al., RoFormer, arXiv 2104.09864.)
 */

/* generated from ops/rotary.op: spec */
typedef struct fovea_rotary_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t interleaved; /* 1 = pair c is elements 2c and 2c + 1, else c and c + C */
  int32_t has_positions; /* 1 = positions is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t reserved0; /* zero */
  int64_t batch; /* B: sequences */
  int64_t length; /* S */
  int64_t heads; /* H */
  int64_t head_dim; /* D */
  int64_t pairs; /* C: of elements of a row that are rotated together: at most head_dim / 2 */
  int64_t position_count; /* P: rows of the tables */
  int64_t x_stride[3]; /* of [B, S, H] */
  int64_t cosines_stride[2]; /* of [B~, P] */
  int64_t sines_stride[2]; /* of [B~, P] */
  int64_t positions_stride[1]; /* of [B~] */
  int64_t out_stride[3]; /* of [B, S, H] */
  int64_t dout_stride[3]; /* of [B, S, H] */
  int64_t dx_stride[3]; /* of [B, S, H] */
} fovea_rotary_spec;
/* end */

/*
 * Rotary position embedding. The backward pass turns back, from what the forward was given but x, which it does
 * not read:
 *
 *   dx_a = cosines_tc dout_a + sines_tc dout_b
 *   dx_b = cosines_tc dout_b - sines_tc dout_a
 *
 * The tables have no gradient, and `accumulate` nothing to add to.
 */
/* generated from ops/rotary.op: functions */
FOVEA_API int32_t fovea_plan_rotary(const fovea_rotary_spec* spec, const fovea_device_info* device,
    fovea_plan* plan);

FOVEA_API int32_t fovea_run_rotary(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* cosines, const float* sines, const int32_t* positions, void* out, void* workspace,
    void* scratch, void* stream);

FOVEA_API int32_t fovea_run_rotary_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* cosines, const float* sines, const int32_t* positions, const void* dout, void* dx,
    void* workspace, void* scratch, void* stream);
/* end */

/* ---- append to a cache -----------------------------------------------------------------------
 *
 * New rows of keys [B, S, Hk, D] and values [B, S, Hk, Dv], in any stride order, go to the cache of their sequence
 * behind the `starts` rows that are there: row s of sequence b becomes row starts[b] + s. With `packed`, key is
 * [Tn, Hk, D], value [Tn, Hk, Dv]. Without value, as where values are a part of the cached keys (multi-head latent
 * attention), keys alone are stored. What is not said to be written keeps every byte, and nothing of it is read.
 *
 *   key_cache     [B, Sk, Hk, D] of cache_dtype, value_cache [B, Sk, Hk, Dv] likewise, or pages of block_table. Rows of
 *                 FOVEA_INT4X2 are D / 2 bytes
 *   block_table   [B, E] int32: row j of sequence b is row j mod Z of page block_table[b, j / Z], as attention reads
 *                 it; key_cache is [G, Z, Hk, D]. Entries of pages without new rows are not read. No page may have new
 *                 rows of two sequences
 *   starts        [B] int32, 0 or more: with the new rows at most cache_length. The CPU refuses others before anything
 *                 is written, as it does entries that are no page, positions that are no row of the tables, and lengths;
 *                 a CUDA kernel leaves out the rows of which it is so, and gives NaN for a key without a position
 *   lengths       [B] int32: new rows of each sequence, S without; cu_seqlens [B + 1]: of packed ones
 *   cosines, sines  [B or 1, P, C] float32: keys are rotated as by rotary position embedding above, or not without them.
 *                 Both products and their sum are float32, each rounded
 *   positions     [B or 1, S] int32, packed [Tn]: rows of the tables; without, new row s is at starts[b] + s
 *
 * A cache of a floating type has x rounded to nearest even. One of another has q, with x near scale * q:
 *
 *   q = x * (1 / scale), float32, clamped to what the type has, from -127 to 127, -7 to 7 or -448 to 448, and rounded to
 *   nearest even; 0 where scale is 0. A NaN becomes 0, or the 0x7f of FOVEA_FLOAT8_E4M3
 *
 *   key_scales, value_scales  [B, Sk or 1, Hk] float32; with pages [G, Z or 1, Hk]; none: scale is 1. With a = the
 *                 largest magnitude of a new row of a head, M = 127, 7 or 448:
 *     of each row:    scale = a / M, at least 2^-126, or 0 where a is 0
 *     where that stride is 0, of all rows of a page, or sequence: let a be the largest of its new rows, and
 *                 scale = 2^k, the least that is a / M or more and normal, 0 where a is 0. Unless its first row is
 *                 new, the scale stays where it is as large; where it is not, earlier rows of the page become
 *                 q * (old scale / new scale), rounded to nearest even. k rises by 1 at least each time, so that all of
 *                 them together err by less than the last scale in each element
 *     a NaN or an infinity makes the scale NaN, and what has it reads as NaN; a page stays so until its first row is new
 */

/* generated from ops/append.op: spec */
typedef struct fovea_append_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* not read */
  int32_t cache_dtype; /* of a cache, also FOVEA_INT8, _INT4X2 or _FLOAT8_E4M3; 0 = dtype */
  int32_t packed; /* 1 = ragged: cu_seqlens_* are given, batch strides are unused */
  int32_t interleaved; /* 1 = pair c is elements 2c and 2c + 1, else c and c + C */
  int32_t has_value; /* 1 = value is given */
  int32_t has_lengths; /* 1 = lengths is given */
  int32_t has_cosines; /* 1 = cosines is given */
  int32_t has_sines; /* 1 = sines is given */
  int32_t has_positions; /* 1 = positions is given */
  int32_t has_block_table; /* 1 = block_table is given */
  int32_t has_value_cache; /* 1 = value_cache is given */
  int32_t has_key_scales; /* 1 = key_scales is given */
  int32_t has_value_scales; /* 1 = value_scales is given */
  int32_t reserved0; /* zero */
  int64_t batch; /* B: sequences */
  int64_t length; /* S: packed: at least the most new rows of a sequence */
  int64_t key_heads; /* Hk */
  int64_t head_dim; /* D */
  int64_t value_head_dim; /* Dv: 0 without value */
  int64_t cache_length; /* Sk: rows of a sequence of the cache; with block_table: at least the longest, new rows too */
  int64_t page_count; /* G: pages of the cache; with block_table */
  int64_t page_size; /* Z: rows of a page: a power of two */
  int64_t page_columns; /* E: pages that a sequence may have: columns of block_table */
  int64_t pairs; /* C: of elements of a key that are rotated together: at most head_dim / 2; 0 without tables */
  int64_t position_count; /* P: rows of the tables */
  int64_t new_total; /* Tn: packed: rows of key and value, at most batch * length; else 0 */
  int64_t key_stride[3]; /* of [B, S, Hk] */
  int64_t value_stride[3]; /* of [B, S, Hk] */
  int64_t cosines_stride[2]; /* of [B~, P] */
  int64_t sines_stride[2]; /* of [B~, P] */
  int64_t positions_stride[1]; /* of [B~] */
  int64_t block_table_stride[1]; /* of [B] */
  int64_t key_cache_stride[3]; /* of [B, Sk, Hk] */
  int64_t value_cache_stride[3]; /* of [B, Sk, Hk] */
  int64_t key_scales_stride[2]; /* of [B, Sk~] */
  int64_t value_scales_stride[2]; /* of [B, Sk~] */
} fovea_append_spec;
/* end */

/* generated from ops/append.op: functions */
FOVEA_API int32_t fovea_plan_append(const fovea_append_spec* spec, const fovea_device_info* device,
    fovea_plan* plan);

FOVEA_API int32_t fovea_run_append(const fovea_plan* plan, fovea_call* call, const void* key,
    const void* value, const int32_t* starts, const int32_t* lengths, const int32_t* cu_seqlens,
    const float* cosines, const float* sines, const int32_t* positions, const int32_t* block_table,
    void* key_cache, void* value_cache, float* key_scales, float* value_scales, void* workspace,
    void* scratch, void* stream);
/* end */

/* ---- normalization ---------------------------------------------------------------------------
 *
 * x [B, S, H, D] and out alike in any stride order, weight and bias [H or 1, D] float32. Each row of D elements
 * is normalized by itself: with `centered`, layer normalization, where mu is its mean,
 *
 *   mu    = sum_d x_d / D,     0 if not `centered`
 *   r     = 1 / sqrt(sum_d (x_d - mu)^2 / D + epsilon)
 *   out_d = (x_d - mu) r weight_d + bias_d
 *
 * without weight or bias as if these were 1 and 0. mean [B, S, H] is mu, and refused if not `centered`; inverse
 * [B, S, H] is r. Arithmetic is float32: squares about the mean itself, so that rows far from 0 keep their digits,
 * in sums of parts of a row. NaN and infinities go the way that IEEE 754 sends them, within their row alone, and so
 * do squares beyond float32. A row of equal elements is 0 times r before its weight: 0 with an epsilon, else NaN.
 * (Ba, Kiros and Hinton, arXiv 1607.06450; Zhang and Sennrich, arXiv 1910.07467.)
 */

/* generated from ops/norm.op: spec */
typedef struct fovea_norm_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t centered; /* 1 = layer normalization; 0 = no mean is subtracted */
  int32_t accumulate_dx; /* backward: 1 = dx is added to what is there */
  int32_t has_weight; /* 1 = weight is given */
  int32_t has_bias; /* 1 = bias is given */
  int32_t has_mean; /* 1 = mean is given */
  int32_t has_inverse; /* 1 = inverse is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dweight; /* backward: 1 = dweight is written */
  int32_t has_dbias; /* backward: 1 = dbias is written */
  float epsilon; /* added to the mean of squares, 0 or more */
  int64_t batch; /* B: sequences */
  int64_t length; /* S */
  int64_t heads; /* H: rows of a position, each normalized by itself */
  int64_t width; /* D: of a row */
  int64_t x_stride[3]; /* of [B, S, H] */
  int64_t weight_stride[1]; /* of [H~] */
  int64_t bias_stride[1]; /* of [H~] */
  int64_t out_stride[3]; /* of [B, S, H] */
  int64_t mean_stride[2]; /* of [B, S] */
  int64_t inverse_stride[2]; /* of [B, S] */
  int64_t dout_stride[3]; /* of [B, S, H] */
  int64_t dx_stride[3]; /* of [B, S, H] */
  int64_t dweight_stride[1]; /* of [H~] */
  int64_t dbias_stride[1]; /* of [H~] */
} fovea_norm_spec;
/* end */

/*
 * Normalization. The backward pass reads what the forward was given, and finds mu and r anew; elementwise, with
 * z = (x - mu) r and g = dout weight, and means over a row:
 *
 *   dx      = r (g - mean(g) - z mean(g z)),   without mean(g) if not `centered`
 *   dweight = sum_bs dout z
 *   dbias   = sum_bs dout
 *
 * dweight and dbias of stride 0 over heads are sums over these, too. `accumulate` adds to dweight and dbias,
 * `accumulate_dx` adds dx to what is there, in float32, which is then rounded once. Sums over rows are those of
 * parts, which depend on sizes alone, added up in their order: every run gives the same bits.
 */
/* generated from ops/norm.op: functions */
FOVEA_API int32_t fovea_plan_norm(const fovea_norm_spec* spec, const fovea_device_info* device,
    fovea_plan* plan);

FOVEA_API int32_t fovea_run_norm(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, void* out, float* mean, float* inverse, void* workspace,
    void* scratch, void* stream);

FOVEA_API int32_t fovea_run_norm_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, const void* dout, void* dx, float* dweight,
    float* dbias, void* workspace, void* scratch, void* stream);
/* end */

/* ---- activation ------------------------------------------------------------------------------
 *
 * Pointwise, with what stands around a function in a network: x, gate, residual and out [B, S, D] in any
 * stride order, bias [D] float32. Of each element, with f = `function`, one of FOVEA_ACTIVATION_*:
 *
 *   z = x + bias_d;  y = f(z);  y = y gate;  y = dropout(y);  out = y + residual
 *
 * where what is not given is left out. Arithmetic is float32. At an infinity f is its limit: gelu, gelu_tanh
 * and silu are 0 at that below; what is NaN stays it. Dropout draws for row i = s of a sequence and column
 * j = d, with b in the place of b * Hq + h. What it drops is 0, whatever it was. (Hendrycks and Gimpel, GELU,
 * arXiv 1606.08415; Elfwing et al., SiLU, arXiv 1702.03118; Shazeer, GLU variants, arXiv 2002.05202;
 * Srivastava et al., Dropout, JMLR 15, 2014.)
 */

/* generated from ops/activation.op: spec */
typedef struct fovea_activation_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t function; /* FOVEA_ACTIVATION_* */
  int32_t has_bias; /* 1 = bias is given */
  int32_t has_gate; /* 1 = gate is given */
  int32_t has_residual; /* 1 = residual is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dx; /* backward: 1 = dx is written */
  int32_t has_dbias; /* backward: 1 = dbias is written */
  int32_t has_dgate; /* backward: 1 = dgate is written */
  int32_t has_dresidual; /* backward: 1 = dresidual is written */
  float dropout; /* probability of dropping, 0 <= dropout < 1 */
  int64_t batch; /* B: sequences */
  int64_t length; /* S */
  int64_t width; /* D */
  int64_t x_stride[2]; /* of [B, S] */
  int64_t gate_stride[2]; /* of [B, S] */
  int64_t residual_stride[2]; /* of [B, S] */
  int64_t out_stride[2]; /* of [B, S] */
  int64_t dout_stride[2]; /* of [B, S] */
  int64_t dx_stride[2]; /* of [B, S] */
  int64_t dgate_stride[2]; /* of [B, S] */
  int64_t dresidual_stride[2]; /* of [B, S] */
} fovea_activation_spec;
/* end */

/*
 * Activation. The backward pass reads what the forward read but residual, and draws what that drew:
 *
 *   g = dropout(dout);  dgate = g f(z);  dx = g gate f'(z);  dbias_d = sum_bs dx;  dresidual = dout
 *
 * Any of them may be wanted alone; only what these need is computed, and read. The gradients of what was
 * dropped are 0, whatever it and dout were. At an infinity f' is its limit. dbias is a sum of dx before that
 * rounds to its type, in a fixed order: every run gives the same bits. `accumulate` adds to dbias alone.
 */
/* generated from ops/activation.op: functions */
FOVEA_API int32_t fovea_plan_activation(const fovea_activation_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_activation(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* bias, const void* gate, const void* residual, void* out, void* workspace,
    void* scratch, void* stream);

FOVEA_API int32_t fovea_run_activation_backward(const fovea_plan* plan, fovea_call* call,
    const void* x, const float* bias, const void* gate, const void* residual, const void* dout,
    void* dx, float* dbias, void* dgate, void* dresidual, void* workspace, void* scratch,
    void* stream);
/* end */

/* ---- embedding ---------------------------------------------------------------------------------
 *
 * table [V, D], ids [B, S], out [B, S, D]; and where they are given positions [P, D] of the type of table and
 * position_ids [B or 1, S]: with t = position_ids_bs, or t = s where there are none,
 *
 *   out_bs = scale * table_ids_bs + positions_t
 *
 * Without position_ids positions have a row for each of S. Arithmetic is float32; without scale and positions rows
 * are copied, each element rounded to the type of out. The CPU refuses an id that is no row of table, and a
 * position that is no row of positions, before it writes anything; a CUDA kernel, which cannot report it, gives
 * NaN for the whole row of out. (Vaswani et al., arXiv 1706.03762, section 3.4, whose scale is sqrt(D).)
 */

/* generated from ops/embedding.op: spec */
typedef struct fovea_embedding_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t has_scale; /* 0 = none: scale is not read */
  int32_t has_padding; /* 0 = none: padding is not read */
  int32_t has_positions; /* 1 = positions is given */
  int32_t has_position_ids; /* 1 = position_ids is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dtable; /* backward: 1 = dtable is written */
  int32_t has_dpositions; /* backward: 1 = dpositions is written */
  float scale; /* of the rows of table; absent: 1 */
  int64_t padding; /* >= 0; the id whose row of table gets no gradient */
  int64_t batch; /* B: sequences */
  int64_t length; /* S */
  int64_t vocabulary; /* V: rows of table */
  int64_t width; /* D */
  int64_t position_count; /* P: rows of positions */
  int64_t table_stride[1]; /* of [V] */
  int64_t ids_stride[1]; /* of [B] */
  int64_t positions_stride[1]; /* of [P] */
  int64_t position_ids_stride[1]; /* of [B~] */
  int64_t out_stride[2]; /* of [B, S] */
  int64_t dout_stride[2]; /* of [B, S] */
  int64_t dtable_stride[1]; /* of [V] */
  int64_t dpositions_stride[1]; /* of [P] */
} fovea_embedding_spec;
/* end */

/*
 * Embedding. The backward pass reads ids, position_ids and dout, neither table nor positions:
 *
 *   dtable_v     = scale * the sum of dout_bs over all (b, s) with ids_bs = v, 0 for v = padding
 *   dpositions_t = the sum of dout_bs over all (b, s) at t
 *
 * Sums are float32, one after the other in the order of (b, s), whatever the device: every run gives the same bits.
 * Rows that nobody asks for are 0. With `accumulate` both are added to what is there, and such rows, that of
 * padding among them, stay as they are. On a device an id that is no row adds to none. `padding` is one of the
 * rows of table; the forward pass reads it like any other. The pass takes 2^31 - 1 ids at most.
 */
/* generated from ops/embedding.op: functions */
FOVEA_API int32_t fovea_plan_embedding(const fovea_embedding_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_embedding(const fovea_plan* plan, fovea_call* call, const void* table,
    const int32_t* ids, const void* positions, const int32_t* position_ids, void* out,
    void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_embedding_backward(const fovea_plan* plan, fovea_call* call,
    const void* table, const int32_t* ids, const void* positions, const int32_t* position_ids,
    const void* dout, float* dtable, float* dpositions, void* workspace, void* scratch,
    void* stream);
/* end */

/* ---- cross-entropy -----------------------------------------------------------------------------
 *
 * logits x [B, S, V], targets [B, S], out and lse [B, S] float32 whatever the logits are, class_weight w [V], 1
 * for all where it is absent. Of each row, with its target y and e = label_smoothing:
 *
 *   lse = ln(sum_v exp(x_v))
 *   out = (1 - e) w_y (lse - x_y) + e / V sum_v w_v (lse - x_v)
 *
 * A term whose factor is 0 is 0, whatever x is. There is no reduction. A row whose target is negative is ignored:
 * nothing of it is read, and its out and lse are 0. Logits may be -infinity, which is a probability of 0: where the
 * target is, out is +infinity. A row with a NaN or +infinity gives NaN, one of -infinity alone lse = -infinity and
 * NaN for out. The CPU refuses a target of V or more before it writes anything; a CUDA kernel, which cannot report
 * it, gives NaN for its out. (Szegedy et al., arXiv 1512.00567, section 7; Milakov and Gimelshein, arXiv 1805.02867.)
 */

/* generated from ops/cross_entropy.op: spec */
typedef struct fovea_cross_entropy_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t has_class_weight; /* 1 = class_weight is given */
  int32_t has_lse; /* 1 = lse is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  float label_smoothing; /* the share of a target that all classes have alike */
  int64_t batch; /* B: sequences */
  int64_t length; /* S */
  int64_t classes; /* V */
  int64_t logits_stride[2]; /* of [B, S] */
  int64_t targets_stride[1]; /* of [B] */
  int64_t out_stride[1]; /* of [B] */
  int64_t lse_stride[1]; /* of [B] */
  int64_t dout_stride[1]; /* of [B] */
  int64_t dlogits_stride[2]; /* of [B, S] */
} fovea_cross_entropy_spec;
/* end */

/*
 * Cross-entropy. The backward pass reads logits, targets, class_weight and the forward's lse, which that must have
 * written:
 *
 *   dx_v = dout (((1 - e) w_y + e / V sum_u w_u) exp(x_v - lse) - (1 - e) w_y [v = y] - e / V w_v)
 *
 * Of an ignored row it is exactly 0, and neither its logits nor its dout are read. On a device it is NaN where the
 * target is V or more. class_weight has no gradient, and `accumulate` nothing to add to.
 */
/* generated from ops/cross_entropy.op: functions */
FOVEA_API int32_t fovea_plan_cross_entropy(const fovea_cross_entropy_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_cross_entropy(const fovea_plan* plan, fovea_call* call,
    const void* logits, const int32_t* targets, const float* class_weight, float* out, float* lse,
    void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_cross_entropy_backward(const fovea_plan* plan, fovea_call* call,
    const void* logits, const int32_t* targets, const float* class_weight, const float* dout,
    const float* lse, void* dlogits, void* workspace, void* scratch, void* stream);
/* end */

/* ---- steps of optimizers -----------------------------------------------------------------------
 *
 * gradient, parameter, mean, square and out [B, N], each with a stride of rows of its own; rates [4] are what
 * changes from step to step, and are read by the run, so that plans and captured graphs stay: the learning
 * rate lr, c1 = 1 / (1 - beta1^t) and c2 = 1 / (1 - beta2^t) of step t from 1 on, which AdamW alone reads, and
 * the factor of the gradient (of clipping, a loss that was scaled, gradients that were summed).
 *
 * A step changes parameter p, mean m and square v in place, from g = factor gradient:
 *
 *   SGD    g = g + weight_decay p, if that is not 0;  with beta1 > 0: m = beta1 m + g,
 *          p = p - lr s,  s = g;  with beta1 > 0: s = m, or nesterov: s = g + beta1 m
 *   AdamW  m = beta1 m + (1 - beta1) g;  v = beta2 v + ((1 - beta2) g) g
 *          p = (1 - lr weight_decay) p - ((lr c1) m) / (sqrt(c2 v) + epsilon)
 *   Lion   p = (1 - lr weight_decay) p - lr sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g
 *
 * m and v are those of before on the right and of after in what follows; sign(u) is 1 where u > 0, -1 where
 * u < 0, else u. All begin with m = 0 and v = 0. SGD (with a dampening of 0) and AdamW, decay first, have the
 * formulas of PyTorch, Lion those of its authors. `out`, where it is given, is p rounded to its type: what a
 * model of mixed precision computes with. mean is for AdamW, Lion and SGD with beta1 > 0, square for AdamW,
 * and both are absent elsewhere.
 *
 * Arithmetic is float32, every operation rounded to nearest, none fused, as the parentheses say and else from
 * left to right, with factors such as 1 - beta1, 1 - lr weight_decay and lr c1 computed so, too: parameters
 * have the same bits on every device but for what a NaN carries. An infinity or a NaN in gradient is no error;
 * a factor of NaN or 0 is no way to leave a step out: not to run it is.
 */

/* generated from ops/optimizer.op: spec */
typedef struct fovea_optimizer_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* not read */
  int32_t rule; /* FOVEA_SGD, FOVEA_ADAMW or FOVEA_LION */
  int32_t nesterov; /* SGD with momentum: 1 = the step looks ahead by it */
  int32_t has_mean; /* 1 = mean is given */
  int32_t has_square; /* 1 = square is given */
  int32_t has_out; /* 1 = out is given */
  float beta1; /* SGD: momentum, 0 = none; else what of the mean stays, in Lion's step */
  float beta2; /* what of AdamW's square stays, of Lion's mean */
  float epsilon; /* AdamW: added to the root of square */
  float weight_decay; /* SGD: times the parameter,
      added to its gradient; else of the parameter itself */
  int64_t batch; /* B: rows: one of all parameters of a model, or those of a matrix */
  int64_t count; /* N: parameters of a row */
  int64_t rate_count; /* R: of rates */
  int64_t gradient_stride[1]; /* of [B] */
  int64_t parameter_stride[1]; /* of [B] */
  int64_t mean_stride[1]; /* of [B] */
  int64_t square_stride[1]; /* of [B] */
  int64_t out_stride[1]; /* of [B] */
} fovea_optimizer_spec;
/* end */

/* Steps of optimizers: there is no backward pass. */
/* generated from ops/optimizer.op: functions */
FOVEA_API int32_t fovea_plan_optimizer(const fovea_optimizer_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_optimizer(const fovea_plan* plan, fovea_call* call,
    const void* gradient, const float* rates, float* parameter, float* mean, float* square,
    void* out, void* workspace, void* scratch, void* stream);
/* end */

/* ---- channel attention -----------------------------------------------------------------------
 *
 * Squeeze and excitation: x [N, C, H, W] and out alike in any stride order, so images may have their
 * channels first or last; weight1 [R, C], bias1 [R], weight2 [C, R] and bias2 [C] float32.
 *
 *   mean_c = sum_hw x_chw / (H W);  hidden = relu(weight1 mean + bias1)
 *   gate = sigmoid(weight2 hidden + bias2);  out_chw = x_chw gate_c
 *
 * for each image. relu(z) is z where z > 0, 0 where z <= 0, and NaN where z is. (Hu et al., arXiv
 * 1709.01507.)
 */

/* generated from ops/channel.op: spec */
typedef struct fovea_channel_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t has_bias1; /* 1 = bias1 is given */
  int32_t has_bias2; /* 1 = bias2 is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dweight1; /* backward: 1 = dweight1 is written */
  int32_t has_dbias1; /* backward: 1 = dbias1 is written */
  int32_t has_dweight2; /* backward: 1 = dweight2 is written */
  int32_t has_dbias2; /* backward: 1 = dbias2 is written */
  int32_t reserved0; /* zero */
  int64_t batch; /* N: images */
  int64_t channels; /* C */
  int64_t height; /* H */
  int64_t width; /* W */
  int64_t hidden; /* R: units between the two layers: channels over the reduction ratio */
  int64_t x_stride[4]; /* of [N, C, H, W] */
  int64_t weight1_stride[1]; /* of [R] */
  int64_t weight2_stride[1]; /* of [C] */
  int64_t out_stride[4]; /* of [N, C, H, W] */
  int64_t dout_stride[4]; /* of [N, C, H, W] */
  int64_t dx_stride[4]; /* of [N, C, H, W] */
  int64_t dweight1_stride[1]; /* of [R] */
  int64_t dweight2_stride[1]; /* of [C] */
} fovea_channel_spec;
/* end */

/*
 * Channel attention. The backward pass gives the exact gradients, from what the forward was given: it
 * computes mean, hidden and gate again from the x that it reads anyway. With * elementwise,
 *
 *   s_c = sum_hw dout_chw x_chw;  dz2 = s * gate * (1 - gate);  dz1 = weight2^T dz2 where hidden's z > 0
 *   dx_chw = gate_c dout_chw + (weight1^T dz1)_c / (H W)
 *   dweight2 = sum dz2 hidden^T;  dbias2 = sum dz2;  dweight1 = sum dz1 mean^T;  dbias1 = sum dz1
 *
 * summed over images, and with `accumulate` added to what is there.
 */
/* generated from ops/channel.op: functions */
FOVEA_API int32_t fovea_plan_channel(const fovea_channel_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_channel(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight1, const float* bias1, const float* weight2, const float* bias2, void* out,
    void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_channel_backward(const fovea_plan* plan, fovea_call* call,
    const void* x, const float* weight1, const float* bias1, const float* weight2,
    const float* bias2, const void* dout, void* dx, float* dweight1, float* dbias1, float* dweight2,
    float* dbias2, void* workspace, void* scratch, void* stream);
/* end */

/* ---- spatial attention -----------------------------------------------------------------------
 *
 * That of CBAM: x [N, C, H, W] and out alike in any stride order, so images may have their channels first
 * or last; weight [2, K, K] and bias [1] float32, K odd.
 *
 *   map0_hw = sum_c x_chw / C;  map1_hw = max_c x_chw
 *   z_hw = bias + sum_mij weight_mij map_m(h + i - K/2, w + j - K/2), maps 0 outside of the image
 *   gate = sigmoid(z);  out_chw = x_chw gate_hw
 *
 * for each image. (Woo et al., arXiv 1807.06521, section 3.)
 */

/* generated from ops/spatial.op: spec */
typedef struct fovea_spatial_spec {
  uint32_t size;
  int32_t pass; /* FOVEA_FORWARD or FOVEA_BACKWARD */
  int32_t dtype; /* FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16 */
  int32_t out_dtype; /* 0 = dtype */
  int32_t gradient_dtype; /* backward, of gradients; 0 = dtype */
  int32_t has_bias; /* 1 = bias is given */
  int32_t deterministic; /* backward: 1 = the same bits on every run; the CPU always gives them */
  int32_t accumulate; /* backward: 1 = gradients of what calls share are added to what is there */
  int32_t has_dweight; /* backward: 1 = dweight is written */
  int32_t has_dbias; /* backward: 1 = dbias is written */
  int64_t batch; /* N: images */
  int64_t channels; /* C */
  int64_t height; /* H */
  int64_t width; /* W */
  int64_t maps; /* M: that the convolution takes: the mean and the maximum over channels */
  int64_t kernel_size; /* K: rows and columns of the convolution, odd */
  int64_t x_stride[4]; /* of [N, C, H, W] */
  int64_t weight_stride[2]; /* of [M, K] */
  int64_t out_stride[4]; /* of [N, C, H, W] */
  int64_t dout_stride[4]; /* of [N, C, H, W] */
  int64_t dx_stride[4]; /* of [N, C, H, W] */
  int64_t dweight_stride[2]; /* of [M, K] */
} fovea_spatial_spec;
/* end */

/*
 * Spatial attention. The backward pass gives the exact gradients, from what the forward was given: it
 * computes maps and gate again from the x that it reads anyway. With
 *
 *   s_hw = sum_c dout_chw x_chw;  dz = s * gate * (1 - gate)
 *   dmap_m(h, w) = sum_ij weight_mij dz(h - i + K/2, w - j + K/2), dz 0 outside of the image
 *
 * dx_chw = gate_hw dout_chw + dmap0_hw / C, and + dmap1_hw in the lowest channel that has the maximum;
 * dweight_mij = sum_hw dz_hw map_m(h + i - K/2, w + j - K/2) and dbias = sum_hw dz_hw are summed over
 * images, and with `accumulate` added to what is there.
 */
/* generated from ops/spatial.op: functions */
FOVEA_API int32_t fovea_plan_spatial(const fovea_spatial_spec* spec,
    const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_spatial(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, void* out, void* workspace, void* scratch,
    void* stream);

FOVEA_API int32_t fovea_run_spatial_backward(const fovea_plan* plan, fovea_call* call,
    const void* x, const float* weight, const float* bias, const void* dout, void* dx,
    float* dweight, float* dbias, void* workspace, void* scratch, void* stream);
/* end */

#ifdef __cplusplus
}
#endif

#endif /* FOVEA_H_ */
