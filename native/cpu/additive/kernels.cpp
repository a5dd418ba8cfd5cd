#include "cpu/additive/kernels.h"

namespace fovea::additive::cpu {

namespace portable {
RunForward run_forward;
RunBackward run_backward;
}  // namespace portable
#if defined(__x86_64__)
namespace avx2 {
RunForward run_forward;
RunBackward run_backward;
}  // namespace avx2
namespace avx512 {
RunForward run_forward;
RunBackward run_backward;
}  // namespace avx512
#endif

Kernels kernels_of(int isa) {
  switch (isa) {
#if defined(__x86_64__)
    case FOVEA_ISA_AVX2:
      return {avx2::run_forward, avx2::run_backward};
    case FOVEA_ISA_AVX512:
      return {avx512::run_forward, avx512::run_backward};
#endif
    default:
      return {portable::run_forward, portable::run_backward};
  }
}

}  // namespace fovea::additive::cpu
