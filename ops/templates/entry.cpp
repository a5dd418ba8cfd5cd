// The functions of fovea.h for {{name}}. Made by ops/generate from ops/{{name}}.op.

#include "core/entry.h"
#include "ops/{{name}}/operation.h"

using namespace fovea;

int32_t fovea_plan_{{name}}(const fovea_{{name}}_spec* spec, const fovea_device_info* device, fovea_plan* plan) {
  return plan_pass({{name}}::kOperation, spec, device, plan);
}
{{#passes}}

int32_t fovea_run_{{name}}{{suffix}}(const fovea_plan* plan, fovea_call* call, {{#operands}}{{pointer}} {{name}}, {{/operands}}void* workspace, void* scratch, void* stream) {
  const {{name}}::{{Pass}}Operands operands = { { {{#in}}{{name}}{{comma}}{{/in}} }, {{#own}}{{name}}{{comma}}{{/own}} };
  return run_pass({{name}}::kOperation, FOVEA_{{PASS}}, plan, call, &operands, workspace, scratch, stream);
}
{{/passes}}
