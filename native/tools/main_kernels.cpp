// Prints the kernels whose speed the project is about: what reports call each, its function as the
// compiler names it, the useful FLOPs of one tile of a block and the warps that share them.
#include <cstdio>

#include "cuda/attention_tiles.h"
#include "cuda/backward_tiles.h"

namespace fovea {
namespace {

// bfloat16 stands for float16, whose code is the same but for two opcodes.
template <typename Variant>
const char* main_precision(const Variant& it) {
  if (it.precision == Precision::kBfloat16 && !it.general) return "bf16";
  if (it.precision == Precision::kFloat32) return "f32";
  return nullptr;
}

bool main_width(int head_dim, int value_head_dim) {
  return head_dim == value_head_dim && (head_dim == 64 || head_dim == 128 || head_dim == 256);
}

void print(const char* pass, const char* precision, int head_dim, const char* function, size_t index,
           long flops, int warps) {
  std::printf("%s_%s_d%d\t%s<%zu>\t%ld\t%d\n", pass, precision, head_dim, function, index, flops,
              warps);
}

void print_all() {
  std::printf("kernel\tfunction\ttile_flops\twarps\n");
  for (size_t i = 0; i < kAttentionVariants.size(); ++i) {
    const AttentionVariant& it = kAttentionVariants[i];
    const AttentionTile& tile = it.tile;
    const char* precision = main_precision(it);
    if (precision == nullptr || !main_width(tile.head_dim, tile.value_head_dim)) continue;
    print("forward", precision, tile.head_dim, "attention_forward", i,
          4L * tile.rows() * tile.keys * tile.head_dim, tile.warps);
  }
  for (size_t i = 0; i < kBackwardVariants.size(); ++i) {
    const BackwardVariant& it = kBackwardVariants[i];
    const int dim = it.tile.head_dim();
    const char* precision = main_precision(it);
    if (precision == nullptr || !main_width(dim, it.tile.value_head_dim())) continue;
    const KeysTile& keys = it.tile.keys;
    print("backward_keys", precision, dim, "backward_keys", i, 10L * keys.rows * keys.keys() * dim,
          keys.warps);
    const AttentionTile& queries = it.tile.queries;
    print("backward_queries", precision, dim, "backward_queries", i,
          6L * queries.rows() * queries.keys * dim, queries.warps);
  }
}

}  // namespace
}  // namespace fovea

int main() { fovea::print_all(); }
