#include "cuda/projection/product.cuh"

namespace fovea::projection::cuda {
namespace {

template <Precision kPrecision>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void projection_out(const ProductParams p) {
  ProductTile<Product::kOut, kPrecision>(p).run();
}

}  // namespace

ProductKernel* out_kernel(Precision precision) {
  return precision == Precision::kFloat32   ? projection_out<Precision::kFloat32>
         : precision == Precision::kFloat16 ? projection_out<Precision::kFloat16>
                                            : projection_out<Precision::kBfloat16>;
}

}  // namespace fovea::projection::cuda
