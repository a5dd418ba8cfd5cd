// The first GPU through the CUDA driver, which is looked for when it is needed: the program loads,
// and its host code is tested, on machines without. Every failure is a std::runtime_error.
#pragma once

#include <cuda.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cuda/attention/warpgroup_params.h"

namespace fovea::attention::cuda::variants {

// One launch of a kernel, with its block of parameters.
struct Launch {
  CUfunction function;
  uint32_t blocks, threads, shared_bytes;
  alignas(BackwardParams) alignas(WarpgroupParams) char params[std::max(sizeof(BackwardParams),
                                                                        sizeof(WarpgroupParams))];
};

class Device {
 public:
  Device();

  const fovea_device_info& info() const { return info_; }
  // FLOPs in a second at the highest clock, which no figure may exceed.
  double limit_flops() const { return limit_flops_; }

  // Memory stays until the process ends.
  void* allocate(size_t bytes) const;
  void fill(void* to, uint8_t value, size_t bytes) const;
  void write(void* to, const void* from, size_t bytes) const;
  void read(void* to, const void* from, size_t bytes) const;
  // All of `to` with the first `bytes` of it, again and again.
  void repeat(void* to, size_t bytes, size_t size) const;

  CUmodule load(const std::string& file) const;
  // A function of the module that may use so much dynamic shared memory.
  CUfunction function(CUmodule module, const char* name, uint32_t shared_bytes) const;
  int resident_blocks(const Launch& launch) const;
  TensorMap encode(const TensorBoxes& boxes) const;

  void run(const Launch& launch) const;
  void synchronize() const;
  // Milliseconds of one of `count` launches, and the clock of the multiprocessors in MHz while they
  // ran, 0 where nothing tells it.
  struct Timing {
    double milliseconds;
    unsigned mhz;
  };
  Timing time(const Launch& launch, int count) const;

 private:
  fovea_device_info info_ = {};
  double limit_flops_ = 0;
  CUevent begin_ = nullptr, end_ = nullptr;
};

}  // namespace fovea::attention::cuda::variants
