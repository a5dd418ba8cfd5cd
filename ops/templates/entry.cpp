// The functions of fovea.h for {{name}}. Made by ops/generate from ops/{{name}}.op.

#include "core/entry.h"
#include "ops/{{name}}/operation.h"

using namespace fovea;

int32_t fovea_plan_{{name}}(const fovea_{{name}}_spec* spec, const fovea_device_info* device, fovea_plan* plan) {
  return plan_pass({{name}}::kOperation, spec, device, plan);
}

int32_t fovea_run_{{name}}(const fovea_plan* plan, fovea_call* call, {{#forward}}{{pointer}} {{name}}, {{/forward}}void* workspace, void* scratch, void* stream) {
  const {{name}}::ForwardOperands operands = { { {{#in}}{{name}}{{comma}}{{/in}} }, {{#out}}{{name}}{{comma}}{{/out}} };
  return run_pass({{name}}::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch, stream);
}

int32_t fovea_run_{{name}}_backward(const fovea_plan* plan, fovea_call* call, {{#backward}}{{pointer}} {{name}}, {{/backward}}void* workspace, void* scratch, void* stream) {
  const {{name}}::BackwardOperands operands = { { {{#in}}{{name}}{{comma}}{{/in}} }, {{#gradients}}{{name}}{{comma}}{{/gradients}} };
  return run_pass({{name}}::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch, stream);
}
