#include "kernels.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "core/constants.h"
#include "cuda/attention/backward_rows.cuh"
#include "cuda/attention/make_params.h"
#include "variants.h"

namespace fovea::attention::cuda::variants {
namespace {

constexpr const char* kMain = "variant";
constexpr const char* kConvert = "variant_convert";

// The packer's JSON is flat and has one space behind each colon: "key": value.
std::string text_of(const std::string& line, const std::string& key) {
  const std::string named = "\"" + key + "\": ";
  const size_t at = line.find(named);
  if (at == std::string::npos) throw std::runtime_error("no " + key + " in " + line);
  size_t begin = at + named.size();
  const bool quoted = line[begin] == '"';
  begin += quoted;
  return line.substr(begin, line.find_first_of(quoted ? "\"" : ",}", begin) - begin);
}

int number_of(const std::string& line, const std::string& key) {
  return std::stoi(text_of(line, key));
}

Variant variant_of(const std::string& line) {
  Variant it = {};
  it.name = text_of(line, "name");
  it.file = text_of(line, "file");
  it.origin = text_of(line, "origin");
  it.head_dim = number_of(line, "head_dim");
  const std::string model = text_of(line, "model");
  it.model = model == "null" ? 0 : std::stod(model);
  const std::string kind = text_of(line, "kind");
  std::vector<const char*> fields;
  if (kind == "forward") {
    it.kind = Kind::kForward;
    fields = {"warps", "warp_rows", "keys", "slots", "shares", "blocks"};
  } else if (kind == "backward_keys") {
    it.kind = Kind::kBackwardKeys;
    fields = {"warps", "warp_keys", "rows", "stages", "shares", "blocks"};
  } else if (kind == "warpgroup_forward") {
    it.kind = Kind::kWarpgroupForward;
    fields = {"consumers", "keys", "stages", "producer_registers", "consumer_registers", "held", "out_over_queries"};
  } else {
    throw std::runtime_error(it.name + " is of a kind that is not known: " + kind);
  }
  for (size_t i = 0; i < fields.size(); ++i) it.tile[i] = number_of(line, fields[i]);
  return it;
}

template <typename Params>
Launch make_launch(CUfunction function, int64_t blocks, int threads, int shared_bytes,
                   const Params& params) {
  Launch launch = {function, uint32_t(blocks), uint32_t(threads), uint32_t(shared_bytes), {}};
  static_assert(sizeof params <= sizeof launch.params);
  std::memcpy(launch.params, &params, sizeof params);
  return launch;
}

int64_t tiles_of(int64_t count, int64_t tile) { return (count + tile - 1) / tile; }

Inputs inputs_of(const Problem& problem, const Operands& operands) {
  Inputs inputs = {};
  inputs.query = operands.query;
  inputs.key = operands.key;
  inputs.value = operands.value;
  if (!problem.query_lengths.empty()) inputs.query_lengths = operands.query_lengths;
  if (!problem.key_lengths.empty()) inputs.key_lengths = operands.key_lengths;
  return inputs;
}

}  // namespace

std::vector<Variant> read_index(const std::string& folder) {
  const std::string path = folder + "/index.jsonl";
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + " cannot be read");
  std::vector<Variant> all;
  for (std::string line; std::getline(in, line);) all.push_back(variant_of(line));
  return all;
}

Operands::Operands(const Device& device, int64_t elements, int64_t rows, int64_t batch)
    : workspace(nullptr), device_(device) {
  for (bfloat16** tensor : {&query, &key, &value, &out, &dout, &dquery, &dkey, &dvalue}) {
    *tensor = static_cast<bfloat16*>(device.allocate(elements * sizeof **tensor));
  }
  lse = static_cast<float*>(device.allocate(rows * sizeof *lse));
  query_lengths = static_cast<int32_t*>(device.allocate(batch * sizeof *query_lengths));
  key_lengths = static_cast<int32_t*>(device.allocate(batch * sizeof *key_lengths));
}

void Operands::write_lengths(const Problem& problem) const {
  const auto write = [&](int32_t* to, const std::vector<int32_t>& lengths) {
    if (!lengths.empty()) device_.write(to, lengths.data(), lengths.size() * sizeof *to);
  };
  write(query_lengths, problem.query_lengths);
  write(key_lengths, problem.key_lengths);
}

void Operands::reserve_workspace(size_t bytes) {
  if (bytes <= workspace_bytes_) return;
  workspace = device_.allocate(bytes);
  workspace_bytes_ = bytes;
}

Kernel::Kernel(const Device& device, const Variant& it, const std::string& folder)
    : variant(it), device_(device), module_(device.load(folder + "/" + it.file)) {
  if (it.is_backward()) {
    main_ = device.function(module_, kMain, backward().keys_shared_bytes());
    convert_ = device.function(module_, kConvert, kRowThreads / 32 * kStagedBytes);
  } else {
    main_ = device.function(
        module_, kMain,
        it.kind == Kind::kForward ? forward().shared_bytes() : warpgroups().shared_bytes());
  }
}

AttentionVariant Kernel::forward() const {
  const auto& t = variant.tile;
  return forward_variant(variant.head_dim, t[0], t[1], t[2], t[3], t[4], t[5]);
}

BackwardVariant Kernel::backward() const {
  const auto& t = variant.tile;
  return backward_keys_variant(variant.head_dim, t[0], t[1], t[2], t[3], t[4], t[5]);
}

WarpgroupVariant Kernel::warpgroups() const {
  const auto& t = variant.tile;
  return warpgroup_variant(variant.head_dim, t[0], t[1], t[2], t[3], t[4], t[5], t[6]);
}

double Kernel::flops(const Problem& problem) const {
  return problem.plan(device_.info(), variant.is_backward()).flops;
}

Launch Kernel::forward_launch(const Problem& problem, const Operands& operands) const {
  fovea_plan plan = problem.plan(device_.info(), false);
  ForwardOperands all = {};
  static_cast<Inputs&>(all) = inputs_of(problem, operands);
  all.out = operands.out;
  all.lse = operands.lse;
  if (variant.kind == Kind::kForward) {
    const AttentionVariant it = forward();
    const int64_t rows = problem.queries * (problem.heads / problem.key_heads);
    plan.items[0] = tiles_of(rows, it.tile.rows()) * problem.batch * problem.key_heads;
    return make_launch(main_, plan.items[0], it.tile.threads(), it.shared_bytes(),
                       attention_params(plan, all, {}, nullptr, it));
  }
  const WarpgroupVariant it = warpgroups();
  const AttentionBoxes boxes(spec_of(plan), all.query, all.key, all.value, it);
  WarpgroupParams p = warpgroup_params(plan, all, {}, it.tile, device_.info().multiprocessors);
  p.query_map = device_.encode(boxes.query);
  p.key_map = device_.encode(boxes.key);
  p.value_map = device_.encode(boxes.value);
  return make_launch(main_, p.blocks, it.tile.threads(), it.shared_bytes(), p);
}

Launch Kernel::launch(const Problem& problem, Operands& operands, const RowValues& values) const {
  if (!variant.is_backward()) return forward_launch(problem, operands);
  Launch launch = backward_launch(problem, operands, kKeysPhase);
  BackwardParams b;
  std::memcpy(&b, launch.params, sizeof b);
  // As the rows kernel leaves them: rows of padding have weights of zero.
  std::vector<float> lse2(b.head_rows * problem.key_heads, std::numeric_limits<float>::infinity());
  std::vector<float> delta(lse2.size());
  for (int64_t n = 0; n < problem.rows(); ++n) {
    const int32_t head = int32_t(n / problem.queries % problem.heads);
    AttentionRows rows = {};
    rows.batch = int32_t(n / problem.queries / problem.heads);
    rows.key_head = int32_t(head * problem.key_heads / problem.heads);
    const int64_t at = workspace_row(b, rows, int32_t(n % problem.queries), head);
    if (std::isinf(values.lse[n])) continue;
    lse2[at] = values.lse[n] * kLog2e;
    delta[at] = values.delta[n];
  }
  device_.write(b.lse2, lse2.data(), lse2.size() * sizeof(float));
  device_.write(b.delta, delta.data(), delta.size() * sizeof(float));
  device_.fill(b.dquery_sums, 0, lse2.size() * problem.head_dim * sizeof(float));
  return launch;
}

std::optional<Launch> Kernel::convert(const Problem& problem, Operands& operands) const {
  if (!variant.is_backward()) return std::nullopt;
  return backward_launch(problem, operands, kQueriesPhase);
}

Launch Kernel::backward_launch(const Problem& problem, Operands& operands,
                               BackwardPhase phase) const {
  const BackwardVariant it = backward();
  fovea_plan plan = problem.plan(device_.info(), true);
  const int64_t pairs = problem.batch * problem.key_heads;
  const int64_t rows = problem.queries * (problem.heads / problem.key_heads);
  plan.items[kKeysPhase] = tiles_of(problem.keys, it.tile.keys.keys()) * pairs;
  plan.items[kQueriesPhase] = tiles_of(rows, it.tile.keys.rows) * pairs;
  operands.reserve_workspace(size_t(BackwardLayout(plan, it).bytes));
  BackwardOperands all = {};
  static_cast<Inputs&>(all) = inputs_of(problem, operands);
  all.dout = operands.dout;
  all.out = operands.out;
  all.lse = operands.lse;
  all.dquery = operands.dquery;
  all.dkey = operands.dkey;
  all.dvalue = operands.dvalue;
  fovea_call call = {};
  call.phase = phase;
  const BackwardParams params = backward_params(plan, all, call, operands.workspace, it);
  return phase == kKeysPhase
             ? make_launch(main_, plan.items[phase], it.tile.keys.threads(), it.keys_shared_bytes(),
                           params)
             : make_launch(convert_, plan.items[phase], kRowThreads,
                           kRowThreads / 32 * kStagedBytes, params);
}

}  // namespace fovea::attention::cuda::variants
