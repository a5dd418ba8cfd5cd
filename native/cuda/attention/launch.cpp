// Which kernels a plan of attention stands for, and their launches.

#include <algorithm>
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
AttentionKernel* const* position_kernels_f16();
AttentionKernel* const* position_kernels_bf16();
AttentionKernel* const* position_kernels_f32();
AttentionKernel* const* cache_kernels_f16();
AttentionKernel* const* cache_kernels_bf16();
AttentionKernel* const* cache_kernels_f32();
AttentionKernel* const* cache_position_kernels_f16();
AttentionKernel* const* cache_position_kernels_bf16();
AttentionKernel* const* cache_position_kernels_f32();
AttentionKernel* const* fold_kernels_f16();
AttentionKernel* const* fold_kernels_bf16();
AttentionKernel* const* fold_kernels_f32();
WarpgroupKernel* const* warpgroup_kernels_f16();
WarpgroupKernel* const* warpgroup_kernels_bf16();
WarpgroupKernel* const* warpgroup_kernels_e4m3();
WarpgroupKernel* transpose_values_kernel();
WarpgroupBackwardKernel* const* warpgroup_keys_kernels_f16();
WarpgroupBackwardKernel* const* warpgroup_keys_kernels_bf16();

namespace {

// What is the variant's in the table of one of three precisions.
AttentionKernel* function_in(int32_t index, AttentionKernel* const* of_f16,
                             AttentionKernel* const* of_bf16, AttentionKernel* const* of_f32) {
  const AttentionVariant& it = kAttentionVariants[index];
  AttentionKernel* const* const all = it.precision == Precision::kFloat16    ? of_f16
                                      : it.precision == Precision::kBfloat16 ? of_bf16
                                                                             : of_f32;
  return all[index - first_variant(kAttentionVariants, it.precision, it.positions, it.cached)];
}

AttentionKernel* cache_function_of(int32_t index) {
  if (kAttentionVariants[index].positions) {
    return function_in(index, cache_position_kernels_f16(), cache_position_kernels_bf16(),
                       cache_position_kernels_f32());
  }
  return function_in(index, cache_kernels_f16(), cache_kernels_bf16(), cache_kernels_f32());
}

AttentionKernel* function_of(int32_t index) {
  if (kAttentionVariants[index].cached) return cache_function_of(index);
  const Precision precision = kAttentionVariants[index].precision;
  const bool positions = kAttentionVariants[index].positions;
  const auto all = [&] {
    switch (precision) {
      case Precision::kFloat16:
        return positions ? position_kernels_f16() : attention_kernels_f16();
      case Precision::kBfloat16:
        return positions ? position_kernels_bf16() : attention_kernels_bf16();
      case Precision::kTf32:
        return attention_kernels_tf32();
      default:
        return positions ? position_kernels_f32() : attention_kernels_f32();
    }
  }();
  return all[index - first_variant(kAttentionVariants, precision, positions)];
}

const BackwardKernels& backward_kernels_of(int32_t index) {
  const Precision precision = kBackwardVariants[index].precision;
  const bool positions = kBackwardVariants[index].positions;
  const auto all = [&] {
    switch (precision) {
      case Precision::kFloat16:
        return positions ? position_backward_kernels_f16() : backward_kernels_f16();
      case Precision::kBfloat16:
        return positions ? position_backward_kernels_bf16() : backward_kernels_bf16();
      default:
        return positions ? position_backward_kernels_f32() : backward_kernels_f32();
    }
  }();
  return all[index - first_variant(kBackwardVariants, precision, positions)];
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

// Whether the plan's kernel is one of warpgroups; of a backward pass, that of keys.
bool has_warpgroups(const fovea_plan& plan) { return plan.isa == kWarpgroupCapability; }

device::Kernel warpgroup_kernel_of(const fovea_plan& plan) {
  const WarpgroupVariant& variant = kWarpgroupVariants[plan.variant];
  WarpgroupKernel* const* const all = variant.precision == Precision::kFloat16    ? warpgroup_kernels_f16()
                                      : variant.precision == Precision::kBfloat16 ? warpgroup_kernels_bf16()
                                                                                  : warpgroup_kernels_e4m3();
  WarpgroupKernel* const function = all[size_t(plan.variant) - first_warpgroup_variant(variant.precision)];
  return device::make_kernel(plan.kernel, function, variant.tile.threads(), variant.shared_bytes(), 1, true);
}

// Of the phase before that one, if values are transposed for it.
device::Kernel transpose_kernel() {
  return device::make_kernel("transpose_values", transpose_values_kernel(), kTransposeThreads, kTransposeBytes);
}

// Which of kWarpgroupKeysVariants a backward plan has.
int32_t warpgroup_keys_of(const fovea_plan& plan) {
  const BackwardVariant& variant = kBackwardVariants[plan.variant];
  int32_t index = 0;
  while (kWarpgroupKeysVariants[index].precision != variant.precision ||
         kWarpgroupKeysVariants[index].tile.head_dim != variant.head_dim()) {
    ++index;
  }
  return index;
}

device::Kernel warpgroup_keys_kernel_of(const fovea_plan& plan) {
  const int32_t index = warpgroup_keys_of(plan), first = int32_t(std::size(kWarpgroupKeysTiles));
  const WarpgroupKeysVariant& variant = kWarpgroupKeysVariants[index];
  WarpgroupBackwardKernel* const function = variant.precision == Precision::kFloat16
                                                ? warpgroup_keys_kernels_f16()[index]
                                                : warpgroup_keys_kernels_bf16()[index - first];
  return device::make_kernel(plan.kernel, function, variant.tile.threads(), variant.shared_bytes(), 1, true);
}

// What runs where a tensor's address is not one that the copy engine takes.
int32_t make_portable(fovea_plan& plan) {
  fovea_device_info device = {};
  device.compute_capability = plan.isa;
  device.shared_memory = kWarpgroupShared;
  device.cache_bytes = int64_t{50} << 20;
  return plan_portable(device, plan);
}

// Of the second phase of few rows.
device::Kernel fold_kernel_of(const fovea_plan& plan) {
  const AttentionVariant& variant = kAttentionVariants[plan.variant];
  return device::make_kernel(
      "attention_fold",
      function_in(plan.variant, fold_kernels_f16(), fold_kernels_bf16(), fold_kernels_f32()),
      32 * variant.fold_warps(), variant.fold_warps() * kStagedBytes, 4);
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
  if (!spec_of(plan).has_modifier_key) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "modifier_program is given without modifier_key, which says what it was compiled to");
  }
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
                             kRowThreads,
                             kAttentionRowsBytes + (kBackwardVariants[plan.variant].positions
                                                        ? kRowThreads / 32 * staged_score_bytes(32)
                                                        : 0));
}

device::Kernel positions_kernel_of(const fovea_plan& plan) {
  const BackwardVariant& variant = kBackwardVariants[plan.variant];
  return device::make_kernel("backward_positions", backward_functions(plan).positions,
                             variant.tile.queries.threads(), variant.positions_shared_bytes(), 1);
}

device::Kernel query_biases_kernel() {
  return device::make_kernel("backward_query_biases", backward_query_biases_kernel(), kRowThreads,
                             0);
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
      if (variant.positions) {
        return device::make_kernel(plan.kernel, kernels.keys, variant.tile.queries.threads(),
                                   variant.positions_shared_bytes(), 1);
      }
      return device::make_kernel(plan.kernel, kernels.keys, variant.tile.keys.threads(),
                                 variant.keys_shared_bytes(), variant.tile.keys.blocks);
    case kQueriesPhase:
      return spec_of(plan).deterministic || variant.positions
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
  if (has_warpgroups(plan) && plan.pass == FOVEA_FORWARD) {
    fovea_plan portable = plan;
    if (int32_t status = make_portable(portable)) return status;
    if (int32_t status = device::prepare(kernel_of(portable), plan.error)) return status;
    if (kWarpgroupVariants[plan.variant].has_transposed_values()) {
      if (int32_t status = device::prepare(transpose_kernel(), plan.error)) return status;
    }
    return device::prepare(warpgroup_kernel_of(plan), plan.error);
  }
  if (plan.pass == FOVEA_FORWARD) {
    if (plan.phases > 1) {
      if (int32_t status = device::prepare(fold_kernel_of(plan), plan.error)) return status;
    }
    return device::prepare(kernel_of(plan), plan.error);
  }
  if (int32_t status = device::prepare_phases(plan, backward_kernel_of)) return status;
  if (has_warpgroups(plan)) {
    if (int32_t status = device::prepare(warpgroup_keys_kernel_of(plan), plan.error)) return status;
  }
  if (kBackwardVariants[plan.variant].positions) {
    if (int32_t status = device::prepare(positions_kernel_of(plan), plan.error)) return status;
    if (int32_t status = device::prepare(query_biases_kernel(), plan.error)) return status;
  }
  return device::prepare(statistics_kernel_of(plan), plan.error);
}

// Programs that kernels read are operands; others were compiled.
template <typename Operands>
int32_t check_modifier(const fovea_plan& plan, const Operands& operands, fovea_call& call) {
  return device::kRunsPrograms ? check_program(spec_of(plan), operands, call)
                               : check_loaded(plan, call.error);
}

int32_t encode_all(std::initializer_list<std::pair<const TensorBoxes*, TensorMap*>> maps, fovea_call& call) {
  for (const auto& [from, to] : maps) {
    if (int32_t status = device::encode(*from, *to, call.error)) return status;
  }
  return FOVEA_OK;
}

// Launches the kernel that takes any address.
int32_t run_portable(const ForwardOperands& operands, const backend::Run& run, fovea_call& call) {
  fovea_plan portable = run.plan;
  if (int32_t status = make_portable(portable)) return fail(call.error, status, "%s", portable.error);
  const int64_t end = std::exchange(call.end, portable.items[0]);
  const int32_t phase = std::exchange(call.phase, 0);
  const AttentionParams params =
      attention_params(portable, operands, call, nullptr, kAttentionVariants[portable.variant]);
  const int32_t status = device::launch(kernel_of(portable), &params, run, call);
  call.end = end;
  call.phase = phase;
  return status;
}

// Launches the plan's kernel of warpgroups, or where an address is not a multiple of 16 bytes another one. Where that
// has a phase before it, it is for values alone.
int32_t run_warpgroups(const ForwardOperands& operands, const backend::Run& run, fovea_call& call) {
  const WarpgroupVariant& variant = kWarpgroupVariants[run.plan.variant];
  const bool transposes = variant.has_transposed_values();
  const int32_t last = transposes ? 1 : 0;
  const AttentionBoxes boxes(spec_of(run.plan), operands.query, operands.key,
                             transposes ? run.workspace : operands.value, variant);
  if (!boxes.are_taken()) return call.phase < last ? FOVEA_OK : run_portable(operands, run, call);
  WarpgroupParams params = warpgroup_params(run.plan, operands, call, variant.tile, run.plan.items[last]);
  if (transposes) {
    params.transposed = static_cast<uint8_t*>(run.workspace);
    params.sequence_tiles = int32_t(TransposedValues(params.spec).sequence_tiles);
    if (call.phase == 0) return device::launch(transpose_kernel(), &params, run, call);
  }
  if (int32_t status = encode_all({{&boxes.query, &params.query_map},
                                   {&boxes.key, &params.key_map},
                                   {&boxes.value, &params.value_map}},
                                  call)) {
    return status;
  }
  return device::launch(warpgroup_kernel_of(run.plan), &params, run, call, transposes);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  if (int32_t status = check_modifier(run.plan, operands, call)) return status;
  if (has_warpgroups(run.plan)) return run_warpgroups(operands, run, call);
  const AttentionParams params = attention_params(run.plan, operands, call, run.workspace,
                                                  kAttentionVariants[run.plan.variant]);
  if (call.phase == 1) return device::launch(fold_kernel_of(run.plan), &params, run, call);
  const ListLayout lists(params.spec, kAttentionVariants[run.plan.variant].tile);
  if (int32_t status = make_lists(lists, params, params.lists, run, call)) return status;
  return device::launch(kernel_of(run.plan), &params, run, call);
}

// The items of a phase that are within [begin, end), by a kernel of their own, which counts from the first.
int32_t launch_within(const device::Kernel& kernel, int64_t begin, int64_t end,
                      BackwardParams& params, const backend::Run& run, fovea_call& call) {
  const int64_t from = std::max(call.begin, begin), to = std::min(call.end, end);
  if (from >= to) return FOVEA_OK;
  params.forward.first_item = from - begin;
  const int64_t first = std::exchange(call.begin, from), last = std::exchange(call.end, to);
  const int32_t status = device::launch(kernel, &params, run, call);
  call.begin = first;
  call.end = last;
  return status;
}

// Row operands, then keys of distances, then biases of queries.
int32_t run_row_operands(BackwardParams& params, const backend::Run& run, fovea_call& call) {
  const BackwardVariant& variant = kBackwardVariants[run.plan.variant];
  const RowOperandItems items(spec_of(run.plan), variant);
  if (int32_t status = launch_within(backward_kernel_of(run.plan, kRowOperandsPhase), 0,
                                     items.positions_begin, params, run, call)) {
    return status;
  }
  if (!variant.positions) return FOVEA_OK;
  if (int32_t status = launch_within(positions_kernel_of(run.plan), items.positions_begin,
                                     items.bias_begin, params, run, call)) {
    return status;
  }
  return launch_within(query_biases_kernel(), items.bias_begin, int64_t(items.count), params, run,
                       call);
}

// The keys kernel of warpgroups, or where an address is not a multiple of 16 bytes the variant's.
int32_t run_warpgroup_keys(const BackwardParams& params, const backend::Run& run, fovea_call& call) {
  const BackwardBoxes boxes(spec_of(run.plan), params, kWarpgroupKeysVariants[warpgroup_keys_of(run.plan)].tile);
  if (!boxes.are_taken()) return device::launch(backward_kernel_of(run.plan, kKeysPhase), &params, run, call);
  WarpgroupBackwardParams all = {params, {}, {}, {}, {}};
  if (int32_t status = encode_all({{&boxes.query, &all.query_map},
                                   {&boxes.dout, &all.dout_map},
                                   {&boxes.key, &all.key_map},
                                   {&boxes.value, &all.value_map}},
                                  call)) {
    return status;
  }
  return device::launch(warpgroup_keys_kernel_of(run.plan), &all, run, call, true);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  if (int32_t status = check_modifier(run.plan, operands, call)) return status;
  BackwardParams params = backward_params(run.plan, operands, call, run.workspace,
                                          kBackwardVariants[run.plan.variant]);
  if (call.phase == kRowsPhase) {
    const BackwardTile& tile = kBackwardVariants[run.plan.variant].tile;
    const AttentionParams& p = params.forward;
    const ListLayout of_rows(p.spec, tile.queries), of_keys(p.spec, tile.keys);
    if (int32_t status = make_lists(of_rows, p, p.lists, run, call)) return status;
    if (int32_t status = make_lists(of_keys, p, params.key_lists, run, call)) return status;
  }
  if (call.phase == kRowOperandsPhase) return run_row_operands(params, run, call);
  if (call.phase == kKeysPhase && has_warpgroups(run.plan)) return run_warpgroup_keys(params, run, call);
  // Sums of dquery are converted behind the keys kernel.
  const bool overlaps = has_warpgroups(run.plan), converts = params.dquery_sums != nullptr;
  const int32_t status = device::launch(backward_kernel_of(run.plan, call.phase), &params, run, call,
                                        overlaps && converts && call.phase == kQueriesPhase);
  if (status != FOVEA_OK || call.phase != kRowsPhase) return status;
  return device::launch(statistics_kernel_of(run.plan), &params, run, call, overlaps);
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
