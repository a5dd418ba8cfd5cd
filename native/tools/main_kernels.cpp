// Prints the kernels whose speed the project is about: what plans call each, its function as the
// compiler names it, the useful FLOPs of one tile of a block and the warps that share them.
#include <cstdio>

#include "cuda/attention/kernel_names.h"
#include "fovea.h"

namespace fovea::attention::cuda {
namespace {

// bfloat16 stands for float16, whose code is the same but for two opcodes.
template <typename Variant>
bool is_main(const Variant& it) {
  const bool precision = it.precision == Precision::kBfloat16 ? !it.general
                                                              : it.precision == Precision::kFloat32;
  const int dim = it.head_dim();
  return precision && !it.positions && !is_cached(it) && dim == it.value_head_dim() &&
         (dim == 64 || dim == 128 || dim == 256);
}

void print(const char* name, const char* function, int index, long flops, int warps) {
  std::printf("%s\t%s<%d>\t%ld\t%d\n", name, function, index, flops, warps);
}

void print_all() {
  std::printf("kernel\tfunction\ttile_flops\twarps\n");
  char name[sizeof(fovea_plan::kernel)];
  for (int i = 0; i < int(kAttentionVariants.size()); ++i) {
    const AttentionVariant& it = kAttentionVariants[i];
    if (!is_main(it)) continue;
    write_name(name, it);
    print(name, "attention_forward", i, 4L * it.tile.rows() * it.tile.keys * it.head_dim(),
          it.tile.warps);
  }
  for (int i = 0; i < int(kWarpgroupVariants.size()); ++i) {
    const WarpgroupVariant& it = kWarpgroupVariants[i];
    if (it.precision == Precision::kFloat16) continue;
    write_name(name, it);
    const WarpgroupTile& tile = it.tile;
    const int widths = tile.head_dim + tile.value_head_dim;
    print(name, "warpgroup_forward", i, 2L * tile.rows() * tile.keys * widths, it.warps());
  }
  for (int i = 0; i < int(kWarpgroupKeysVariants.size()); ++i) {
    const WarpgroupKeysVariant& it = kWarpgroupKeysVariants[i];
    if (it.precision != Precision::kBfloat16) continue;
    write_name(name, it, false);
    print(name, "warpgroup_backward_keys", i, 10L * it.tile.rows * it.tile.kKeys * it.tile.head_dim, it.warps());
  }
  for (int i = 0; i < int(kBackwardVariants.size()); ++i) {
    const BackwardVariant& it = kBackwardVariants[i];
    if (!is_main(it)) continue;
    const KeysTile& keys = it.tile.keys;
    write_name(name, it, false);
    print(name, "backward_keys", i, 10L * keys.rows * keys.keys() * it.head_dim(), keys.warps);
    if (first_with_queries(i) != i) continue;
    const AttentionTile& queries = it.tile.queries;
    write_name(name, it, true);
    print(name, "backward_queries", i, 6L * queries.rows() * queries.keys * it.head_dim(),
          queries.warps);
  }
}

}  // namespace
}  // namespace fovea::attention::cuda

int main() { fovea::attention::cuda::print_all(); }
