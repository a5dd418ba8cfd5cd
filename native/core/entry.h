// Behind the functions of an operation in fovea.h: what is alike for all of them.
#pragma once

#include "core/operation.h"

namespace fovea {

int32_t plan_pass(const Operation& operation, const void* spec, const fovea_device_info* device,
                  fovea_plan* plan);

// `operands` is the struct of that pass.
int32_t run_pass(const Operation& operation, int32_t pass, const fovea_plan* plan, fovea_call* call,
                 const void* operands, void* workspace, void* scratch, void* stream);

}  // namespace fovea
