FOVEA_API int32_t fovea_plan_{{name}}(const fovea_{{name}}_spec* spec, const fovea_device_info* device, fovea_plan* plan);
{{#passes}}

FOVEA_API int32_t fovea_run_{{name}}{{suffix}}(const fovea_plan* plan, fovea_call* call, {{#operands}}{{pointer}} {{name}}, {{/operands}}void* workspace, void* scratch, void* stream);
{{/passes}}
