#include "cuda/projection/product.cuh"

namespace fovea::projection::cuda {
namespace {

template <Precision kPrecision>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void projection_input(const ProductParams p) {
  ProductTile<Product::kInput, kPrecision>(p).run();
}

}  // namespace

ProductKernel* input_kernel(Precision precision) {
  return precision == Precision::kFloat32   ? projection_input<Precision::kFloat32>
         : precision == Precision::kFloat16 ? projection_input<Precision::kFloat16>
                                            : projection_input<Precision::kBfloat16>;
}

}  // namespace fovea::projection::cuda
