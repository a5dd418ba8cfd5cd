// The one place that picks how channel attention is cut for a GPU.

#include "cuda/channel/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/channel/layout.h"

namespace fovea::channel::cuda {

ImageWalk walk_of(const Spec& spec, int32_t phase, const Images& images) {
  const ImageOperand x = {spec.x_stride, spec.dtype, images.x};
  const ImageOperand out = {spec.out_stride, spec.out_dtype, images.out};
  const ImageOperand dout = {spec.dout_stride, spec.out_dtype, images.out};
  const ImageOperand dx = {spec.dx_stride, spec.gradient_dtype, images.dx};
  const bool backward = spec.pass == FOVEA_BACKWARD, scales = is_scale(spec, phase);
  ImageWalk walk = backward ? scales ? make_walk(size_of(spec), {dout, dx})
                                     : make_walk(size_of(spec), {x, dout})
                   : scales ? make_walk(size_of(spec), {x, out})
                            : make_walk(size_of(spec), {x});
  // Four packets of a thread in a row of pixels, where it has so many.
  constexpr int kPackets = 4;
  set_lanes(walk, walk.grid.channels_last ? tiles_of(walk.grid.channels, walk.packet)
                                          : tiles_of(walk.pixels, walk.packet * kPackets));
  return walk;
}

// By sizes and strides alone, so that sums have the same bits in any batch and on any device.
Parts parts_of(const ImageWalk& walk, bool pools) {
  // Of a thread: small images need many blocks, and large ones have them.
  constexpr int64_t kElements = 32;
  const int64_t lanes = int64_t{walk.lanes} * walk.packet;
  const int64_t block = walk.grid.channels_last ? lanes : walk.groups;
  const int64_t unit = walk.grid.channels_last ? walk.groups : lanes;
  int64_t chunk = unit * (kElements / walk.packet);
  if (pools) {
    // Every block of the hidden phase adds up the chunks again: a few floats beside what it reads
    // of weights.
    constexpr int64_t kMostSums = 32768, kFewestChunks = 16;
    const int64_t most = std::max(kFewestChunks, kMostSums / walk.grid.channels);
    chunk = std::max(chunk, tiles_of(tiles_of(walk.pixels, most), unit) * unit);
  }
  return {block, tiles_of(walk.grid.channels, block), chunk, tiles_of(walk.pixels, chunk)};
}

Layout::Layout(const Spec& spec, int64_t chunks, bool backward) {
  const auto add_rows = [&](bool keeps, int64_t count) {
    const int64_t at = keeps ? size : -1;
    if (keeps) size += tiles_of(spec.batch * count, 64) * 64;
    return at;
  };
  sums = add_rows(true, chunks * spec.channels);
  products = add_rows(backward, chunks * spec.channels);
  hidden = add_rows(true, spec.hidden);
  gate = add_rows(true, spec.channels);
  mean = add_rows(backward, spec.channels);
  dz1 = add_rows(backward, spec.hidden);
  dz2 = add_rows(backward, spec.channels);
  add = add_rows(backward, spec.channels);
}

namespace {

int32_t plan_pass(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const bool backward = spec.pass == FOVEA_BACKWARD;
  const ImageWalk pool = walk_of(spec, kPoolPhase, {});
  const int32_t scale_phase = backward ? kBackwardScalePhase : kForwardScalePhase;
  const Parts parts = parts_of(pool, true);
  const Parts scaled = parts_of(walk_of(spec, scale_phase, {}), false);
  const char* const images = "parts of images";
  const char* const layers = "rows of weights for every few images";
  const int64_t groups = image_groups(spec);
  int32_t status = FOVEA_OK;
  const auto count = [&](int phase, const char* what, std::initializer_list<int64_t> counts) {
    if (status == FOVEA_OK) status = count_items(what, counts, plan.items[phase], plan.error);
  };
  count(kPoolPhase, images, {spec.batch, parts.chunks, parts.blocks});
  count(kHiddenPhase, layers, {groups, tiles_of(spec.hidden, kLayerRows)});
  count(kGatePhase, layers, {groups, tiles_of(spec.channels, kLayerRows)});
  if (backward) {
    count(kHiddenGradientPhase, layers, {groups, tiles_of(spec.hidden, kColumns)});
    count(kMeanGradientPhase, layers, {groups, tiles_of(spec.channels, kColumns)});
    count(kMeanGradientPhase, layers,
          {plan.items[kMeanGradientPhase] + first_weight_items(spec) + second_weight_items(spec)});
  }
  count(scale_phase, images, {spec.batch, scaled.chunks, scaled.blocks});
  if (status != FOVEA_OK) return status;
  plan.isa = kLeastCapability;
  plan.phases = backward ? int32_t{kBackwardPhases} : int32_t{kForwardPhases};
  plan.workspace_bytes = Layout(spec, parts.chunks, backward).size * int64_t{sizeof(float)};
  plan.tile_queries = int32_t(parts.block);
  plan.tile_keys = int32_t(std::min<int64_t>(parts.chunk, std::numeric_limits<int32_t>::max()));
  std::snprintf(plan.kernel, sizeof plan.kernel, "channel_cuda%s_sm80_%s_%s_%dx%d",
                backward ? "_backward" : "", name_of(spec.dtype),
                pool.grid.channels_last ? "channels_last" : "channels_first", plan.tile_queries,
                plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, plan);
}

}  // namespace fovea::channel::cuda
