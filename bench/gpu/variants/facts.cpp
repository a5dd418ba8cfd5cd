// Prints, for the tiles of the tables and for those of variants.inc, what the packer must know of
// each: where it comes from, kind, head dim, fields, threads of a block, bytes of shared memory.
#include <cstdio>

#include "variants.h"

namespace fovea::attention::cuda {
namespace {

void print(const char* origin, const AttentionVariant& it) {
  const AttentionTile& t = it.tile;
  std::printf("%s\tforward\t%d\t%d %d %d %d %d %d\t%d\t%d\n", origin, t.head_dim, t.warps,
              t.warp_rows, t.keys, t.slots, t.shares, t.blocks, t.threads(), it.shared_bytes());
}

void print(const char* origin, const BackwardVariant& it) {
  const KeysTile& t = it.tile.keys;
  std::printf("%s\tbackward_keys\t%d\t%d %d %d %d %d %d\t%d\t%d\n", origin, it.head_dim(), t.warps,
              t.warp_keys, t.rows, t.stages, t.shares, t.blocks, t.threads(),
              it.keys_shared_bytes());
}

void print(const char* origin, const WarpgroupVariant& it) {
  const WarpgroupTile& t = it.tile;
  std::printf("%s\twarpgroup_forward\t%d\t%d %d %d %d %d %d %d\t%d\t%d\n", origin, t.head_dim,
              t.consumers, t.keys, t.stages, t.producer_registers, t.consumer_registers,
              t.held, t.out_over_queries, t.threads(), it.shared_bytes());
}

void print_all() {
  for (int head_dim : {64, 128, 256}) {
    for (const auto& it : kAttentionVariants) {
      if (is_base(it, head_dim)) print("table", it);
    }
    for (const auto& it : kBackwardVariants) {
      if (is_base(it, head_dim)) print("table", it);
    }
    for (const auto& it : kWarpgroupVariants) {
      if (is_base(it, head_dim)) print("table", it);
    }
  }
  const auto forward = [](auto... fields) { print("space", forward_variant(fields...)); };
  const auto backward_keys = [](auto... fields) {
    print("space", backward_keys_variant(fields...));
  };
  const auto warpgroup_forward = [](auto... fields) {
    print("space", warpgroup_variant(fields...));
  };
#include "variants.inc"
}

}  // namespace
}  // namespace fovea::attention::cuda

int main() { fovea::attention::cuda::print_all(); }
