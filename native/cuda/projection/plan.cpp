// The one place that cuts the work of the projection of sequences for a GPU.

#include "cuda/projection/plan.h"

#include <cstdio>
#include <utility>

#include "cuda/projection/tiles.h"

namespace fovea::projection::cuda {
namespace {

void name_kernel(const char* name, fovea_plan& plan) {
  plan.isa = kLeastCapability;
  plan.tile_queries = kRows;
  plan.tile_keys = kColumns;
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_sm80_%s_%dx%d", name,
                name_of(spec_of(plan).dtype), kRows, kColumns);
}

int32_t check(const fovea_device_info& device, const Spec& spec, Error& error) {
  if (int32_t status = check_capability(device, error)) return status;
  // Kernels count positions in 32 bits, and look a little beyond the last.
  constexpr int64_t kLongest = std::numeric_limits<int32_t>::max() - 1024;
  for (const auto& [name, size] :
       {std::pair("length", spec.length), std::pair("rank", spec.rank)}) {
    if (size > kLongest) {
      return fail(error, FOVEA_UNSUPPORTED, "%s is %lld, and CUDA kernels take up to %lld", name,
                  (long long)size, (long long)kLongest);
    }
  }
  if (kSharedBytes > device.shared_memory) {
    return fail(error, FOVEA_UNSUPPORTED,
                "a projection needs %d bytes of shared memory per block, and the device has %lld",
                kSharedBytes, (long long)device.shared_memory);
  }
  return FOVEA_OK;
}

int32_t set_workspace(__int128 bytes, fovea_plan& plan) {
  if (bytes > (__int128{1} << 60)) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "sums of parts need more than 2^60 bytes of workspace");
  }
  plan.workspace_bytes = int64_t(bytes);
  return FOVEA_OK;
}

// A phase with a thread for each element.
int32_t count_elements(const char* what, __int128 elements, int32_t phase, fovea_plan& plan) {
  return count_items(what, {tiles_of(int64_t(elements), kSumThreads)}, plan.items[phase],
                     plan.error);
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check(device, spec, plan.error)) return status;
  const char* const what = "tiles of each head of each sequence";
  plan.phases = kForwardPhases;
  if (int32_t status = count_items(what, {spec.batch, spec.heads, tiles_of_out(spec)},
                                   plan.items[kOutPhase], plan.error)) {
    return status;
  }
  // Chunks side by side where sequences alone do not fill the device; the bits are the same.
  const int64_t chunks = chunks_of(spec.length);
  if (chunks > 1 && plan.items[kOutPhase] > 0 &&
      plan.items[kOutPhase] < int64_t{kBlocks} * device.multiprocessors) {
    const __int128 elements = dout_elements(spec);
    if (int32_t status = set_workspace(elements * chunks * int64_t{sizeof(float)}, plan)) {
      return status;
    }
    if (int32_t status = count_elements("elements of out", elements, kOutSumPhase, plan)) {
      return status;
    }
    if (int32_t status =
            count_items(what, {plan.items[kOutPhase], chunks}, plan.items[kOutPhase], plan.error)) {
      return status;
    }
  }
  name_kernel("projection_cuda", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check(device, spec, plan.error)) return status;
  plan.phases = kBackwardPhases;
  if (int32_t status = set_workspace(BackwardLayout(spec).bytes, plan)) return status;
  if (converts_dout(spec)) {
    if (int32_t status =
            count_elements("elements of dout", dout_elements(spec), kDoutPhase, plan)) {
      return status;
    }
  }
  if (int32_t status = count_items("tiles of each head of each sequence",
                                   {spec.batch, spec.heads, tiles_of_input(spec)},
                                   plan.items[kInputPhase], plan.error)) {
    return status;
  }
  if (spec.has_dweight) {
    const int64_t groups = pair_groups(spec);
    if (int32_t status =
            count_items("tiles of dweight", {weights_of(spec), tiles_of_weight(spec), groups},
                        plan.items[kWeightPhase], plan.error)) {
      return status;
    }
    if (groups > 1) {
      const __int128 elements = __int128{weights_of(spec)} * spec.rank * spec.length;
      if (int32_t status = count_elements("elements of dweight", elements, kWeightSumPhase, plan)) {
        return status;
      }
    }
  }
  name_kernel("projection_cuda_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::projection::cuda
