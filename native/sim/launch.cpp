#include "sim/block.h"

namespace fovea::sim {

void launch(const Launch& launch, const std::function<void()>& body) {
  const std::string kernel = launch.kernel;
  if (launch.blocks == 0) throw Error(kernel + ": a launch of no blocks");
  if (launch.threads == 0 || launch.threads % kWarp != 0 || launch.threads > kMaxThreads) {
    throw Error(kernel + ": a launch of " + std::to_string(launch.threads) +
                " threads, expected a multiple of 32 up to 1024");
  }
  thread_local Block block;  // its stacks and memory serve every launch of this OS thread
  block.launch(launch, body);
}

}  // namespace fovea::sim
