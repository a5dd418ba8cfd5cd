// Prints the kernels whose speed the project is about: what plans call each, its function as the
// compiler names it, the useful FLOPs of one tile of a block and the warps that share them.
#include <cstdio>
#include <string>

#include "cuda/kernel_names.h"
#include "fovea.h"

namespace fovea {
namespace {

// bfloat16 stands for float16, whose code is the same but for two opcodes.
template <typename Variant>
bool is_main(const Variant& it) {
  const bool precision = it.precision == Precision::kBfloat16 ? !it.general
                                                              : it.precision == Precision::kFloat32;
  const int dim = it.head_dim();
  return precision && dim == it.value_head_dim() && (dim == 64 || dim == 128 || dim == 256);
}

// Template arguments, as demanglers print them.
std::string text(Precision precision) {
  return "(fovea::Precision)" + std::to_string(int(precision));
}
std::string text(bool x) { return x ? "true" : "false"; }
std::string text(const AttentionTile& it) {
  std::string list;
  for (int x : {it.head_dim, it.value_head_dim, it.warps, it.warp_rows, it.keys, it.slots, it.shares,
                it.blocks}) {
    list += (list.empty() ? "" : ", ") + std::to_string(x);
  }
  return "fovea::AttentionTile{" + list + "}";
}
std::string text(const KeysTile& it) {
  std::string list;
  for (int x : {it.warps, it.warp_keys, it.rows, it.stages, it.shares, it.blocks}) {
    list += (list.empty() ? "" : ", ") + std::to_string(x);
  }
  return "fovea::KeysTile{" + list + "}";
}
std::string text(const AttentionVariant& it) {
  return "fovea::AttentionVariant{" + text(it.precision) + ", " + text(it.tile) + ", " +
         text(it.general) + "}";
}
std::string text(const BackwardVariant& it) {
  return "fovea::BackwardVariant{" + text(it.precision) + ", fovea::BackwardTile{" +
         text(it.tile.keys) + ", " + text(it.tile.queries) + "}, " + text(it.general) + "}";
}

void print(const char* name, const std::string& function, long flops, int warps) {
  std::printf("%s\t%s\t%ld\t%d\n", name, function.c_str(), flops, warps);
}

void print_all() {
  std::printf("kernel\tfunction\ttile_flops\twarps\n");
  char name[sizeof(fovea_attention_plan::kernel)];
  for (const AttentionVariant& it : kAttentionVariants) {
    if (!is_main(it)) continue;
    write_name(name, it);
    print(name, "attention_forward<" + text(it) + ">",
          4L * it.tile.rows() * it.tile.keys * it.tile.head_dim, it.tile.warps);
  }
  std::string last;  // variants that differ in keys alone stand together
  for (const BackwardVariant& it : kBackwardVariants) {
    if (!is_main(it)) continue;
    const KeysTile& keys = it.tile.keys;
    write_name(name, it, false);
    print(name, "backward_keys<" + text(it) + ">", 10L * keys.rows * keys.keys() * it.head_dim(),
          keys.warps);
    const AttentionTile& queries = it.tile.queries;
    const std::string function = "backward_queries<" + text(without_keys(it)) + ">";
    if (function == last) continue;
    last = function;
    write_name(name, it, true);
    print(name, function, 6L * queries.rows() * queries.keys * it.head_dim(), queries.warps);
  }
}

}  // namespace
}  // namespace fovea

int main() { fovea::print_all(); }
