#include "cuda/channel/pool.cuh"

namespace fovea::channel::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3)
void channel_pool(const ChannelParams p) { pool<1>(p); }

}  // namespace

ChannelKernel* pool_kernel() { return channel_pool; }

}  // namespace fovea::channel::cuda
