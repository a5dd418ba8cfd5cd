#define FOVEA_TIER avx2
#include "cpu/attention_tier.h"

void fovea::attention_avx2(const fovea_attention_plan& plan, const fovea_attention_call& call,
                           const AttentionOperands& operands, const AttentionWork& work,
                           void* scratch) {
  avx2::run_attention(plan, call, operands, work, scratch);
}

void fovea::backward_avx2(const BackwardRun& run, const BackwardWork& work) {
  avx2::run_backward(run, work);
}
