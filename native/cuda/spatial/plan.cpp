// The one place that picks how spatial attention is cut for a GPU.

#include "cuda/spatial/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/spatial/layout.h"

namespace fovea::spatial::cuda {
namespace {

// Neighbouring pixels of a block: so many that what it reads of a channel is whole lines of memory,
// few where the image would not make many blocks otherwise. By its size alone, so that sums have
// the same bits in any batch and on any device.
int64_t pixel_lanes(const ImageWalk& walk) {
  constexpr int64_t kBlocks = 256;
  const int64_t packets = tiles_of(walk.pixels, walk.packet);
  int64_t lanes = 32;
  while (lanes > 8 && packets < lanes * kBlocks) lanes /= 2;
  return std::min(lanes, packets);
}

}  // namespace

ImageWalk walk_of(const Spec& spec, int32_t phase, const Images& images) {
  const ImageOperand x = {spec.x_stride, spec.dtype, images.x};
  const ImageOperand out = {spec.out_stride, spec.out_dtype, images.out};
  const ImageOperand dout = {spec.dout_stride, spec.out_dtype, images.out};
  const ImageOperand dx = {spec.dx_stride, spec.gradient_dtype, images.dx};
  const bool backward = spec.pass == FOVEA_BACKWARD, scales = phase == scale_phase(spec);
  ImageWalk walk = backward ? scales ? make_walk(size_of(spec), {dout, dx})
                                     : make_walk(size_of(spec), {x, dout})
                   : scales ? make_walk(size_of(spec), {x, out})
                            : make_walk(size_of(spec), {x});
  set_lanes(walk, walk.grid.channels_last ? tiles_of(walk.grid.channels, walk.packet)
                                          : pixel_lanes(walk));
  return walk;
}

int32_t part_of(const ImageWalk& walk) {
  return walk.grid.channels_last ? std::max(walk.groups, int32_t{kConvolved})
                                 : walk.lanes * walk.packet;
}

Layout::Layout(const Spec& spec, int64_t gate_items) {
  const bool backward = spec.pass == FOVEA_BACKWARD;
  const auto add = [&](bool keeps, int64_t count) {
    const int64_t at = keeps ? size : -1;
    if (keeps) size += tiles_of(count, 64) * 64;
    return at;
  };
  const int64_t pixels = spec.batch * spec.height * spec.width;
  maps = add(true, kMaps * pixels);
  products = add(backward, pixels);
  indices = add(backward, pixels);
  gates = add(backward, pixels);
  dz = add(backward, pixels);
  sums = add(backward && (spec.has_dweight || spec.has_dbias), gradients(spec) * gate_items);
}

namespace {

int32_t plan_pass(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const bool backward = spec.pass == FOVEA_BACKWARD;
  const int64_t pixels = spec.height * spec.width;
  const ImageWalk fold = walk_of(spec, kFoldPhase, {});
  int32_t status = FOVEA_OK;
  const auto count = [&](int phase, int32_t part) {
    if (status != FOVEA_OK) return;
    status = count_items("parts of images", {spec.batch, tiles_of(pixels, part)}, plan.items[phase],
                         plan.error);
  };
  count(kFoldPhase, part_of(fold));
  if (backward) count(kGatePhase, kGatePixels);
  count(scale_phase(spec), part_of(walk_of(spec, scale_phase(spec), {})));
  if (status != FOVEA_OK) return status;
  if (backward && (spec.has_dweight || spec.has_dbias)) plan.items[kSumPhase] = gradients(spec);
  plan.isa = kLeastCapability;
  plan.phases = backward ? int32_t{kBackwardPhases} : int32_t{kForwardPhases};
  const Layout layout(spec, backward ? plan.items[kGatePhase] : 0);
  plan.workspace_bytes = layout.size * int64_t{sizeof(float)};
  plan.tile_queries = 1;
  plan.tile_keys = part_of(fold);
  std::snprintf(plan.kernel, sizeof plan.kernel, "spatial_cuda%s_sm80_%s_%s_%d",
                backward ? "_backward" : "", name_of(spec.dtype),
                fold.grid.channels_last ? "channels_last" : "channels_first", plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, plan);
}

}  // namespace fovea::spatial::cuda
