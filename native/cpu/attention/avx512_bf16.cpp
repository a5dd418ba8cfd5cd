#define FOVEA_TIER avx512_bf16
#include "cpu/attention/backward_gradients.h"
#include "cpu/attention/forward_item.h"
#include "cpu/attention/kernels.h"
#include "cpu/softmax/forward_rows.h"

namespace fovea::attention::cpu {

namespace avx512 {
RunBackward run_backward;
}

namespace FOVEA_TIER {

void run_forward(const ForwardRun& run, const ForwardWork& work) { run_item<ForwardItem>(run, work); }

// What the products are: all else takes float32.
void run_backward(const BackwardRun& run, const BackwardWork& work) {
  if (run.call.phase != kKeyPhase) return avx512::run_backward(run, work);
  BackwardKeys<BackwardGradients>(run, work).run();
}

}  // namespace FOVEA_TIER
}  // namespace fovea::attention::cpu
