// Variants as the packer's index lists them, and the launches that a problem takes of each kind.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cuda/attention/warpgroup_tiles.h"
#include "driver.h"
#include "problem.h"

namespace fovea::attention::cuda::variants {

enum class Kind { kForward, kBackwardKeys, kWarpgroupForward };

struct Variant {
  std::string name, file, origin;
  Kind kind;
  int head_dim;
  int tile[7];   // its fields, in the order of the struct
  double model;  // TFLOP/s; 0 where there was no disassembler

  bool is_baseline() const { return origin == "baseline"; }
  bool is_backward() const { return kind == Kind::kBackwardKeys; }
};

// Throws std::runtime_error where a line is not as the packer writes it.
std::vector<Variant> read_index(const std::string& folder);

// Where operands lie on the device: as many elements as the largest problem has.
class Operands {
 public:
  Operands(const Device& device, int64_t elements, int64_t rows, int64_t batch);

  bfloat16 *query, *key, *value, *out, *dout, *dquery, *dkey, *dvalue;
  float* lse;
  int32_t *query_lengths, *key_lengths;
  void* workspace;  // of the backward pass; grows to what the last problem needs

  void write_lengths(const Problem& problem) const;
  void reserve_workspace(size_t bytes);

 private:
  const Device& device_;
  size_t workspace_bytes_ = 0;
};

// What the keys kernel knows of each row: lse and <dout, out>.
struct RowValues {
  std::vector<float> lse, delta;  // [batch, head, query]
};

class Kernel {
 public:
  Kernel(const Device& device, const Variant& variant, const std::string& folder);

  const Variant& variant;

  // The kernel itself. Of the backward pass, its rows come to the workspace as well.
  Launch launch(const Problem& problem, Operands& operands, const RowValues& rows) const;
  // After it, of the backward pass: dquery from its sums.
  std::optional<Launch> convert(const Problem& problem, Operands& operands) const;
  double flops(const Problem& problem) const;

 private:
  AttentionVariant forward() const;
  BackwardVariant backward() const;
  WarpgroupVariant warpgroups() const;
  Launch forward_launch(const Problem& problem, const Operands& operands) const;
  Launch backward_launch(const Problem& problem, Operands& operands, BackwardPhase phase) const;

  const Device& device_;
  CUmodule module_;
  CUfunction main_, convert_ = nullptr;
};

}  // namespace fovea::attention::cuda::variants
