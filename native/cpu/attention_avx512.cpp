#define FOVEA_TIER avx512
#include "cpu/attention_tier.h"

void fovea::attention_avx512(const fovea_attention_plan& plan, const fovea_attention_call& call,
                             const AttentionOperands& operands, const AttentionWork& work,
                             void* scratch) {
  avx512::run_attention(plan, call, operands, work, scratch);
}

void fovea::backward_avx512(const BackwardRun& run, const BackwardWork& work) {
  avx512::run_backward(run, work);
}
