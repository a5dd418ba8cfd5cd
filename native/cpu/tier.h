// The instruction set tiers of the CPU: which there are, how wide their kernels are, which run here.
#pragma once

#include <cstdint>

#include "fovea.h"

namespace fovea::cpu {

struct Tier {
  const char* name;
  int lanes;  // floats of a vector; portable and neon: two registers
  // Register blocking: group * 3 accumulators, 3 vectors of rows, one broadcast. 4 x 3 + 3 + 1 fills the
  // 16 registers of AVX2, and with vectors of two the 32 of NEON; AVX-512 has 32, so that twice the keys share each
  // load of rows.
  // Tiles of AMX are 16 high.
  int group;
  int terms;  // that sums are filled up to a multiple of with zeros
};
constexpr Tier kTiers[] = {{},
                           {"portable", 8, 4, 1},
                           {"avx2", 8, 4, 1},
                           {"avx512", 16, 8, 1},
                           {"avx512_bf16", 16, 8, 2},
                           {"amx", 16, 16, 32},
                           {"neon", 8, 4, 1}};  // by FOVEA_ISA_*
constexpr int kLastTier = FOVEA_ISA_NEON;

// Those that multiply pairs of bfloat16, and have kernels of attention alone.
constexpr bool is_of_pairs(int isa) { return kTiers[isa].terms > 1; }

// Those that every operation has where this is built; X(name, FOVEA_ISA_*). A better one has kernels for a few.
#if defined(__x86_64__)
#define FOVEA_TIERS(X) \
  X(portable, FOVEA_ISA_PORTABLE) X(avx2, FOVEA_ISA_AVX2) X(avx512, FOVEA_ISA_AVX512)
#elif defined(__aarch64__)
#define FOVEA_TIERS(X) X(neon, FOVEA_ISA_NEON)
#else
#define FOVEA_TIERS(X) X(portable, FOVEA_ISA_PORTABLE)
#endif

// Sets plan.isa to that of the device, if it has it, or to the best below it that every operation has.
int32_t pick_tier(const fovea_device_info& device, fovea_plan& plan);

// Names it by its tier and tiles.
void name_kernel(const char* name, fovea_plan& plan);

// Whether the processor and the operating system under this process have it.
bool runs_here(int isa);

// Whether it is faster than the tiers below it, where it runs.
bool is_fast_here(int isa);

}  // namespace fovea::cpu
