// Which kernels a plan of attention stands for, and their launches.

#include <utility>

#include "cuda/attention/backward_table.h"
#include "cuda/attention/make_params.h"
#include "cuda/attention/modified.h"
#include "cuda/attention/plan.h"
#include "cuda/attention/tiles.h"
#include "cuda/device.h"
#include "ops/attention/check_program.h"

namespace fovea::attention::cuda {

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
  return all[index - first_variant(kAttentionVariants, precision)];
}

const BackwardKernels& backward_kernels_of(int32_t index) {
  const Precision precision = kBackwardVariants[index].precision;
  const BackwardKernels* const all = precision == Precision::kFloat16    ? backward_kernels_f16()
                                     : precision == Precision::kBfloat16 ? backward_kernels_bf16()
                                                                         : backward_kernels_f32();
  return all[index - first_variant(kBackwardVariants, precision)];
}

// Whether the plan's kernels are those that were loaded for its modifier.
bool is_modified(const fovea_plan& plan) {
  return spec_of(plan).has_modifier_program && !device::kRunsPrograms;
}

// Null where they have not been loaded.
AttentionKernel* forward_function(const fovea_plan& plan) {
  return is_modified(plan) ? find_modified_forward(plan) : function_of(plan.variant);
}

device::Kernel kernel_of(const fovea_plan& plan) {
  const AttentionVariant& variant = kAttentionVariants[plan.variant];
  return device::make_kernel(plan.kernel, forward_function(plan), variant.tile.threads(),
                             variant.shared_bytes(), variant.tile.blocks);
}

BackwardKernels backward_functions(const fovea_plan& plan) {
  const BackwardKernels& usual = backward_kernels_of(plan.variant);
  if (!is_modified(plan)) return usual;
  const BackwardKernels* const loaded = find_modified_backward(plan);
  BackwardKernels all = loaded == nullptr ? BackwardKernels{} : *loaded;
  all.convert = usual.convert;
  return all;
}

int32_t check_loaded(const fovea_plan& plan, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (!is_modified(plan)) return FOVEA_OK;
  const bool loaded = plan.pass == FOVEA_FORWARD ? find_modified_forward(plan) != nullptr
                                                 : find_modified_backward(plan) != nullptr;
  if (loaded) return FOVEA_OK;
  return fail(error, FOVEA_UNSUPPORTED,
              "no kernels are loaded for the score modifier of modifier_key %lld, variant %d: see "
              "fovea_load_modifier",
              (long long)spec_of(plan).modifier_key, plan.variant);
}

device::Kernel statistics_kernel_of(const fovea_plan& plan) {
  return device::make_kernel("backward_statistics", backward_functions(plan).statistics,
                             kRowThreads, kAttentionRowsBytes);
}

device::Kernel backward_kernel_of(const fovea_plan& plan, int32_t phase) {
  const BackwardVariant& variant = kBackwardVariants[plan.variant];
  const BackwardKernels kernels = backward_functions(plan);
  const auto queries = [&](BackwardKernel* function, int32_t blocks) {
    return device::make_kernel(plan.kernel, function, variant.tile.queries.threads(),
                               variant.queries_shared_bytes(), blocks);
  };
  switch (phase) {
    case kRowsPhase:
      return device::make_kernel("backward_rows", backward_rows_kernel(spec_of(plan).output_gates_dtype != 0),
                                 kRowThreads, 0);
    case kKeysPhase:
      return device::make_kernel(plan.kernel, kernels.keys, variant.tile.keys.threads(),
                                 variant.keys_shared_bytes(), variant.tile.keys.blocks);
    case kQueriesPhase:
      return spec_of(plan).deterministic
                 ? queries(kernels.queries, variant.tile.queries.blocks)
                 : device::make_kernel("backward_convert", kernels.convert, kRowThreads,
                                       kRowThreads / 32 * kStagedBytes);
    case kBiasPhase:
      return queries(kernels.bias, 1);
    case kRowOperandsPhase:
      return queries(kernels.row_operands, 1);
    default:
      return device::make_kernel("backward_sinks", backward_sinks_kernel(), kRowThreads,
                                 4 * kRowThreads / 32);
  }
}

device::Kernel lists_kernel() {
  return device::make_kernel("list_tiles", list_tiles_kernel(), kListThreads, 0);
}

// Launches what makes lists, where there is a block mask.
int32_t make_lists(const ListLayout& layout, const AttentionParams& attention, const TileLists& to,
                   const backend::Run& run, fovea_call& call) {
  if (to.entries == nullptr) return FOVEA_OK;
  const ListParams params = layout.params(attention, to);
  const int64_t begin = std::exchange(call.begin, 0), end = std::exchange(call.end, layout.blocks());
  const int32_t status = device::launch(lists_kernel(), &params, run, call);
  call.begin = begin;
  call.end = end;
  return status;
}

int32_t prepare(fovea_plan& plan) {
  if (int32_t status = check_loaded(plan, plan.error)) return status;
  if (is_sparse(spec_of(plan))) {
    if (int32_t status = device::prepare(lists_kernel(), plan.error)) return status;
  }
  if (plan.pass == FOVEA_FORWARD) return device::prepare(kernel_of(plan), plan.error);
  if (int32_t status = device::prepare_phases(plan, backward_kernel_of)) return status;
  return device::prepare(statistics_kernel_of(plan), plan.error);
}

// Programs that kernels read are operands; others were compiled.
template <typename Operands>
int32_t check_modifier(const fovea_plan& plan, const Operands& operands, fovea_call& call) {
  return device::kRunsPrograms ? check_program(spec_of(plan), operands, call)
                               : check_loaded(plan, call.error);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  if (int32_t status = check_modifier(run.plan, operands, call)) return status;
  const AttentionParams params = attention_params(run.plan, operands, call, run.workspace,
                                                  kAttentionVariants[run.plan.variant]);
  const ListLayout lists(params.spec, kAttentionVariants[run.plan.variant].tile);
  if (int32_t status = make_lists(lists, params, params.lists, run, call)) return status;
  return device::launch(kernel_of(run.plan), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  if (int32_t status = check_modifier(run.plan, operands, call)) return status;
  const BackwardParams params = backward_params(run.plan, operands, call, run.workspace,
                                                kBackwardVariants[run.plan.variant]);
  if (call.phase == kRowsPhase) {
    const BackwardTile& tile = kBackwardVariants[run.plan.variant].tile;
    const AttentionParams& p = params.forward;
    const ListLayout of_rows(p.spec, tile.queries), of_keys(p.spec, tile.keys);
    if (int32_t status = make_lists(of_rows, p, p.lists, run, call)) return status;
    if (int32_t status = make_lists(of_keys, p, params.key_lists, run, call)) return status;
  }
  const int32_t status =
      device::launch(backward_kernel_of(run.plan, call.phase), &params, run, call);
  if (status != FOVEA_OK || call.phase != kRowsPhase) return status;
  return device::launch(statistics_kernel_of(run.plan), &params, run, call);
}

}  // namespace
}  // namespace fovea::attention::cuda

namespace fovea::attention {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::attention
