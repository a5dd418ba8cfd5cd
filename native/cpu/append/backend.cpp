// An append to a cache as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/append/kernels.h"

namespace fovea::append::cpu {

#define FOVEA_DECLARE_STORE(tier, isa) \
  namespace tier {                     \
  StoreTile store_tile;                \
  }
#define FOVEA_STORE_CASE(tier, isa) \
  case isa:                         \
    return tier::store_tile;

FOVEA_TIERS(FOVEA_DECLARE_STORE)

StoreTile* store_of(int isa) {
  switch (isa) {
    FOVEA_TIERS(FOVEA_STORE_CASE)
    default:
      return nullptr;
  }
}

}  // namespace fovea::append::cpu

namespace fovea::append {

extern const backend::Kernels kKernels = {
    {cpu::plan_append},
    {cpu::run_append},
    fovea::cpu::prepare,
};

}  // namespace fovea::append
