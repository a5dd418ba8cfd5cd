#include "cuda/projection/product.cuh"

namespace fovea::projection::cuda {
namespace {

template <Precision kPrecision>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void projection_weight(const ProductParams p) {
  ProductTile<Product::kWeight, kPrecision>(p).run();
}

}  // namespace

ProductKernel* weight_kernel(Precision precision) {
  return precision == Precision::kFloat32   ? projection_weight<Precision::kFloat32>
         : precision == Precision::kFloat16 ? projection_weight<Precision::kFloat16>
                                            : projection_weight<Precision::kBfloat16>;
}

}  // namespace fovea::projection::cuda
