// The one place that picks how spatial attention is cut for the CPU.

#include <cstdio>
#include <limits>
#include <numeric>

#include "core/block.h"
#include "cpu/spatial/layout.h"
#include "cpu/spatial/passes.h"
#include "cpu/tier.h"

namespace fovea::spatial::cpu {

Bands::Bands(const Spec& spec, bool backward)
    : x(stride_of(spec.x_stride)),
      out(stride_of(backward ? spec.dout_stride : spec.out_stride)),
      gradient(stride_of(spec.dx_stride)),
      grid(backward
               ? join(spec.channels, spec.height, spec.width, {&x, &out, &gradient})
               : join(spec.channels, spec.height, spec.width, {&x, &out})),
      reach(spec.kernel_size / 2),
      halo(backward ? 2 * reach : reach) {
  constexpr int64_t kBytes = 512 << 10;
  const int64_t row = spec.channels * spec.width *
                      (element_bytes(spec.dtype) + (backward ? element_bytes(spec.out_dtype) : 0));
  const int64_t wanted = std::max(kBytes / row, 2 * halo);
  // So many that a channel of a band is of whole lines of memory, where an image of full rows is.
  const int64_t lines = 32 / std::gcd(spec.width, int64_t{32});
  rows = std::clamp<int64_t>(wanted < lines ? wanted : wanted / lines * lines, 1, spec.height);
  count = (spec.height + rows - 1) / rows;
}

namespace {

int64_t apart(int64_t count) { return (count + 15) / 16 * 16; }

}  // namespace

int64_t BandScratch::reserve(int64_t count) {
  const int64_t at = size;
  size += apart(count) + 16;  // a vector may begin at the last of them
  return at;
}

BandScratch::BandScratch(const Spec& spec, const Bands& bands, bool backward) {
  padded_row = apart(apart(spec.width) + 2 * bands.reach);
  row = spec.width;
  rows = bands.rows + 2 * bands.halo;
  for (int64_t& map : maps) map = reserve(rows * padded_row);
  dz = reserve(backward ? rows * padded_row : 0);
  products = reserve(backward ? rows * row : 0);
  indices = reserve(backward ? rows * row : 0);
  gate = reserve(rows * row);
  add = reserve(backward ? bands.rows * row : 0);
  add_maximum = reserve(backward ? bands.rows * row : 0);
}

namespace {

int32_t plan_bands(const fovea_device_info& device, bool backward, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  const Bands bands(spec, backward);
  plan.items[kBandPhase] = spec.batch * bands.count;
  plan.scratch_bytes = BandScratch(spec, bands, backward).size * int64_t{sizeof(float)};
  plan.tile_queries = 1;
  plan.tile_keys = int32_t(
      std::min<int64_t>(bands.rows * spec.width, std::numeric_limits<int32_t>::max()));
  std::snprintf(plan.kernel, sizeof plan.kernel, "spatial_cpu%s_%s_%s_%lld",
                backward ? "_backward" : "", fovea::cpu::kTiers[plan.isa].name,
                bands.grid.channels_last ? "channels_last" : "channels_first", (long long)bands.rows);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kForwardPhases;
  return plan_bands(device, false, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kBackwardPhases;
  if (int32_t status = plan_bands(device, true, plan)) return status;
  const Spec& spec = spec_of(plan);
  if (!spec.has_dweight && !spec.has_dbias) return FOVEA_OK;
  plan.items[kWeightPhase] = 1;
  plan.workspace_bytes = plan.items[kBandPhase] * band_sums(spec) * int64_t{sizeof(double)};
  return FOVEA_OK;
}

}  // namespace fovea::spatial::cpu
