#include "cuda/channel/pool.cuh"

namespace fovea::channel::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void channel_backward_pool(const ChannelParams p) { pool<2>(p); }

}  // namespace

ChannelKernel* backward_pool_kernel() { return channel_backward_pool; }

}  // namespace fovea::channel::cuda
