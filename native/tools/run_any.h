// A run of any operation: its function by address, its operands in the order of the table.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "core/operation.h"

namespace fovea::replay {

using RunAny = int32_t(void* function, const fovea_plan* plan, fovea_call* call, void* const* operands,
                       void* workspace, void* scratch, void* stream);

template <size_t>
using Address = void*;

template <size_t... kIndex>
int32_t run_with(std::index_sequence<kIndex...>, void* function, const fovea_plan* plan,
                 fovea_call* call, void* const* operands, void* workspace, void* scratch,
                 void* stream) {
  using Function = int32_t(const fovea_plan*, fovea_call*, Address<kIndex>..., void*, void*, void*);
  return reinterpret_cast<Function*>(function)(plan, call, operands[kIndex]..., workspace, scratch,
                                               stream);
}

template <size_t kCount>
int32_t run_count(void* function, const fovea_plan* plan, fovea_call* call, void* const* operands,
                  void* workspace, void* scratch, void* stream) {
  return run_with(std::make_index_sequence<kCount>(), function, plan, call, operands, workspace,
                  scratch, stream);
}

// By the number of operands.
inline RunAny* run_of(size_t count) {
  static constexpr auto kAll = []<size_t... kCounts>(std::index_sequence<kCounts...>) {
    return std::array<RunAny*, sizeof...(kCounts)>{run_count<kCounts>...};
  }(std::make_index_sequence<kMostOperands + 1>());
  return kAll[count];
}

}  // namespace fovea::replay
