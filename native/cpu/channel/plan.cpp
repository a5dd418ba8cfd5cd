// The one place that picks how channel attention is cut for the CPU.

#include <cstdio>

#include "cpu/channel/layout.h"
#include "cpu/channel/passes.h"
#include "cpu/tier.h"

namespace fovea::channel::cpu {

Parts::Parts(const Spec& spec, bool backward)
    : x(stride_of(spec.x_stride)),
      out(stride_of(backward ? spec.dout_stride : spec.out_stride)),
      gradient(stride_of(spec.dx_stride)),
      grid(backward
               ? join(spec.channels, spec.height, spec.width, {&x, &out, &gradient})
               : join(spec.channels, spec.height, spec.width, {&x, &out})) {
  constexpr int64_t kElements = 32768, kFewestPixels = 16;
  const int64_t pixels = grid.pixels();
  if (grid.channels_last) {
    // A sum for each channel and chunk: few beside its elements.
    block = grid.channels;
    chunk = std::min(pixels, std::max(kFewestPixels, kElements / grid.channels));
  } else {
    chunk = std::min(pixels, kElements);
    block = std::min(grid.channels, std::max<int64_t>(1, kElements / chunk));
  }
  blocks = (grid.channels + block - 1) / block;
  chunks = (pixels + chunk - 1) / chunk;
}

namespace {

int64_t reserve(int64_t& total, int64_t count) {
  const int64_t at = total;
  total += (count + 15) / 16 * 16;
  return at;
}

}  // namespace

ImageMemory::ImageMemory(const Spec& spec, const Parts& parts, bool backward) {
  sums = reserve(size, parts.chunks * spec.channels);
  products = reserve(size, backward ? parts.chunks * spec.channels : 0);
  gate = reserve(size, spec.channels);
  add = reserve(size, backward ? spec.channels : 0);
  mean = reserve(kept_size, spec.channels);
  hidden = reserve(kept_size, spec.hidden);
  dz1 = reserve(kept_size, backward ? spec.hidden : 0);
  dz2 = reserve(kept_size, backward ? spec.channels : 0);
}

namespace {

// Images at a time, of at most `most`: what half of L2 holds, so that the second read of x comes from there;
// or as many as L3 holds where both weights, which are read each time, cost more than that read.
int64_t images_at_once(const fovea_device_info& device, const Spec& spec, int64_t image_bytes, int64_t most) {
  constexpr int64_t kL3 = 8 << 20;
  const int64_t near = std::clamp<int64_t>(device.cache_bytes / 2 / image_bytes, 1, most);
  const int64_t far = std::clamp<int64_t>(kL3 / image_bytes, near, most);
  const int64_t weights = 2 * spec.hidden * spec.channels * int64_t{sizeof(float)};
  return weights / near > image_bytes + weights / far ? far : near;
}

// Whole images while there are enough of them for every worker to have several; else parts.
int32_t plan_images(const fovea_device_info& device, bool backward, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  const Parts parts(spec, backward);
  const ImageMemory memory(spec, parts, backward);
  const int64_t items = 4 * std::max<int64_t>(1, device.multiprocessors);
  const bool whole = spec.batch >= items;
  int64_t images = 1;
  if (whole) {
    const int64_t bytes = spec.channels * parts.grid.pixels() *
                          (element_bytes(spec.dtype) + (backward ? element_bytes(spec.out_dtype) : 0));
    constexpr int64_t kMost = 64;
    images = images_at_once(device, spec, bytes, std::min(kMost, spec.batch / items));
    plan.items[kImagePhase] = (spec.batch + images - 1) / images;
    plan.scratch_bytes = 2 * images * memory.size * int64_t{sizeof(float)};
  } else {
    plan.items[kPoolPhase] = plan.items[kScalePhase] = spec.batch * parts.count();
    plan.items[kGatePhase] = spec.batch;
    plan.workspace_bytes = spec.batch * memory.size * int64_t{sizeof(float)};
  }
  // What a backward pass keeps is read by other items, too.
  const bool shared = backward || !whole;
  (shared ? plan.workspace_bytes : plan.scratch_bytes) +=
      (shared ? spec.batch : 2 * images) * memory.kept_size * int64_t{sizeof(float)};
  plan.tile_queries = int32_t(images);
  plan.tile_keys = int32_t(parts.chunk);
  std::snprintf(plan.kernel, sizeof plan.kernel, "channel_cpu%s_%s_%s_%dx%d",
                backward ? "_backward" : "", fovea::cpu::kTiers[plan.isa].name,
                parts.grid.channels_last ? "channels_last" : "channels_first", plan.tile_queries,
                plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kForwardPhases;
  return plan_images(device, false, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kBackwardPhases;
  const Spec& spec = spec_of(plan);
  if (spec.has_dweight1 || spec.has_dbias1) plan.items[kWeightPhase] += blocks_of(spec.hidden);
  if (spec.has_dweight2 || spec.has_dbias2) plan.items[kWeightPhase] += blocks_of(spec.channels);
  return plan_images(device, true, plan);
}

}  // namespace fovea::channel::cpu
