#define FOVEA_TIER portable
#include "cpu/attention_tier.h"

void fovea::attention_portable(const fovea_attention_plan& plan, const fovea_attention_call& call,
                               const AttentionOperands& operands, const AttentionWork& work,
                               void* scratch) {
  portable::run_attention(plan, call, operands, work, scratch);
}

void fovea::backward_portable(const BackwardRun& run, const BackwardWork& work) {
  portable::run_backward(run, work);
}
