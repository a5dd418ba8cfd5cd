#include <memory>

#include "sim/block.h"

namespace fovea::sim {

void launch(const Launch& launch, const std::function<void()>& body) {
  const std::string kernel = launch.kernel;
  if (launch.blocks == 0) throw Error(kernel + ": a launch of no blocks");
  if (launch.threads == 0 || launch.threads % kWarp != 0 || launch.threads > kMaxThreads) {
    throw Error(kernel + ": a launch of " + std::to_string(launch.threads) +
                " threads, expected a multiple of 32 up to 1024");
  }
  // Its stacks and memory serve every launch of this OS thread. Not itself thread-local: a library
  // that dlopen brings finds room for a pointer in the static block that current_block needs, and
  // "cannot allocate memory in static TLS block" for more.
  thread_local const std::unique_ptr<Block> block = std::make_unique<Block>();
  block->launch(launch, body);
}

}  // namespace fovea::sim
