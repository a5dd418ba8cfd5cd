#define FOVEA_TIER avx512_bf16
#include "cpu/attention/forward_item.h"
#include "cpu/attention/kernels.h"
#include "cpu/softmax/forward_rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, const ForwardWork& work) { run_item<ForwardItem>(run, work); }

}  // namespace fovea::attention::cpu::FOVEA_TIER
