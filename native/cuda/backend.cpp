// A GPU behind core/backend.h, and the simulator: they differ in cuda/device.h alone.

#include "core/backend.h"

#include <algorithm>
#include <initializer_list>

#include "core/block.h"
#include "core/constants.h"
#include "core/philox.h"
#include "cuda/attention_tiles.h"
#include "cuda/device.h"

namespace fovea {

AttentionKernel* const* attention_kernels_f16();
AttentionKernel* const* attention_kernels_bf16();
AttentionKernel* const* attention_kernels_tf32();
AttentionKernel* const* attention_kernels_f32();

namespace {

AttentionKernel* function_of(int32_t index) {
  const Precision precision = kAttentionVariants[index].precision;
  const auto all = [&] {
    switch (precision) {
      case Precision::kFloat16:
        return attention_kernels_f16();
      case Precision::kBfloat16:
        return attention_kernels_bf16();
      case Precision::kTf32:
        return attention_kernels_tf32();
      default:
        return attention_kernels_f32();
    }
  }();
  return all[index - first_variant(precision)];
}

device::Kernel kernel_of(const fovea_attention_plan& plan) {
  const AttentionVariant& variant = kAttentionVariants[plan.variant];
  return {plan.kernel, function_of(plan.variant), variant.tile.threads(), variant.shared_bytes()};
}

// The largest of 16, 8, 4 and 2 bytes that the address and every stride are multiples of.
uint8_t copy_bytes(const void* address, std::initializer_list<int64_t> strides, int element_bytes) {
  uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 16;
  for (int64_t stride : strides) bits |= uintptr_t(stride * element_bytes);
  return uint8_t(bits & -bits);
}

// A dimension of size 1 may have any stride: it is never stepped over.
int64_t used(int64_t stride, int64_t size) { return size > 1 ? stride : 0; }

uint8_t tensor_copy_bytes(const fovea_attention_spec& spec, const void* address,
                          const int64_t (&stride)[3], int64_t positions, int64_t heads) {
  return copy_bytes(address,
                    {spec.packed ? 0 : used(stride[0], spec.batch), used(stride[1], positions),
                     used(stride[2], heads)},
                    spec.dtype == FOVEA_FLOAT32 ? 4 : 2);
}

template <size_t kCount>
void copy_strides(int64_t (&to)[kCount], const int64_t (&from)[kCount], bool packed) {
  std::copy(from, from + kCount, to);
  if (packed) to[0] = 0;
}

AttentionParams params_of(const fovea_attention_plan& plan, const AttentionOperands& operands,
                          const fovea_attention_call& call) {
  const fovea_attention_spec& spec = plan.spec;
  AttentionParams p = {};
  p.query = operands.query;
  p.key = operands.key;
  p.value = operands.value;
  p.bias = operands.bias;
  p.alibi_slopes = operands.alibi_slopes;
  p.sinks = operands.sinks;
  p.cu_seqlens_q = operands.cu_seqlens_q;
  p.cu_seqlens_k = operands.cu_seqlens_k;
  p.query_lengths = operands.query_lengths;
  p.key_lengths = operands.key_lengths;
  p.out = operands.out;
  p.lse = operands.lse;
  p.weights = operands.weights;

  copy_strides(p.query_stride, spec.query_stride, spec.packed);
  copy_strides(p.key_stride, spec.key_stride, spec.packed);
  copy_strides(p.value_stride, spec.value_stride, spec.packed);
  copy_strides(p.out_stride, spec.out_stride, spec.packed);
  copy_strides(p.lse_stride, spec.lse_stride, spec.packed);
  copy_strides(p.bias_stride, spec.bias_stride, spec.packed);
  copy_strides(p.weights_stride, spec.weights_stride, spec.packed);
  copy_strides(p.alibi_stride, spec.alibi_stride, false);
  const int64_t queries = spec.packed ? spec.query_total : spec.query_length;
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  p.query_copy = tensor_copy_bytes(spec, p.query, spec.query_stride, queries, spec.query_heads);
  p.key_copy = tensor_copy_bytes(spec, p.key, spec.key_stride, keys, spec.key_heads);
  p.value_copy = tensor_copy_bytes(spec, p.value, spec.value_stride, keys, spec.key_heads);

  p.window_left = spec.window_left;
  p.window_right = spec.window_right;
  p.first_item = call.begin;
  p.pairs = spec.batch * spec.key_heads;
  p.section = plan.section;
  p.query_total = spec.query_total;
  p.key_total = spec.key_total;
  p.query_length = int32_t(spec.query_length);
  p.key_length = int32_t(spec.key_length);
  p.query_heads = int32_t(spec.query_heads);
  p.key_heads = int32_t(spec.key_heads);
  p.head_dim = int32_t(spec.head_dim);
  p.value_head_dim = int32_t(spec.value_head_dim);
  p.tiles = int32_t(plan.items[0] / p.pairs);
  p.out_dtype = spec.out_dtype;
  p.bias_dtype = spec.bias_dtype;
  p.packed = spec.packed;
  p.causal = spec.causal;
  p.top_left = spec.alignment == FOVEA_TOP_LEFT;
  p.has_window_left = spec.has_window_left;
  p.has_window_right = spec.has_window_right;

  p.scale = spec.scale;
  // The general kernel has scaled its scores already.
  p.softmax_scale = kAttentionVariants[plan.variant].general ? kLog2e : spec.scale * kLog2e;
  p.softcap = spec.softcap;
  p.dropout_threshold = dropout_threshold(spec.dropout);
  p.dropout_scale = 65536.0f / float(65536 - p.dropout_threshold);
  p.dropout_seed = call.dropout_seed;
  p.dropout_offset = call.dropout_offset;
  return p;
}

}  // namespace

namespace backend {

const char* const kName = device::kBackend;
const int32_t kDeviceKind = FOVEA_DEVICE_CUDA;

void describe_build(char (&build)[160]) { device::describe_build(build); }

int32_t query(int32_t index, fovea_device_info& device) { return device::query(index, device); }

int32_t plan(const fovea_device_info& device, fovea_attention_plan& plan) {
  return plan_cuda(device, plan);
}

int32_t plan_backward(const fovea_device_info&, fovea_attention_plan& plan) {
  return fail(plan.error, FOVEA_UNSUPPORTED, "there is no backward pass");
}

int32_t prepare(fovea_attention_plan& plan) { return device::prepare(kernel_of(plan), plan.error); }

int32_t run(const fovea_attention_plan& plan, const AttentionOperands& operands,
            fovea_attention_call& call, void*, void*, void* stream) {
  return device::launch(kernel_of(plan), uint32_t(call.end - call.begin),
                        params_of(plan, operands, call), plan, operands, stream, call.error);
}

int32_t run_backward(const fovea_attention_plan&, const BackwardOperands&, fovea_attention_call&,
                     void*, void*, void*) {
  return FOVEA_UNSUPPORTED;
}

}  // namespace backend
}  // namespace fovea
