FOVEA_API int32_t fovea_plan_{{name}}(const fovea_{{name}}_spec* spec, const fovea_device_info* device, fovea_plan* plan);

FOVEA_API int32_t fovea_run_{{name}}(const fovea_plan* plan, fovea_call* call, {{#forward}}{{pointer}} {{name}}, {{/forward}}void* workspace, void* scratch, void* stream);

FOVEA_API int32_t fovea_run_{{name}}_backward(const fovea_plan* plan, fovea_call* call, {{#backward}}{{pointer}} {{name}}, {{/backward}}void* workspace, void* scratch, void* stream);
