// Shared-memory wavefronts of the main kernels, counted by the simulator: of the forward for each tile
// of keys, of the backward's keys kernel for each tile of query rows, in the middle of a long, full,
// unmasked, aligned problem.
//
//   fovea_wavefronts                  the table, as cuda/wavefronts.tsv holds it
//   fovea_wavefronts --check FILE     whether the file is that table; 1 if not, with a sentence
//   fovea_wavefronts --lines          of each kernel the lines with conflicts: wavefronts, ideal

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/entry.h"
#include "cuda/attention/backward_tiles.h"
#include "ops/attention/attention.h"
#include "sim/sites.h"
#include "sim/traffic.h"

namespace fovea::attention::cuda {
namespace {

using sim::Request;
using sim::Wavefronts;

constexpr int32_t kDevice = 3;    // with shared memory for all of them, and no kernels of warpgroups
constexpr int64_t kShortest = 4;  // tiles: enough to fill every ring
constexpr std::pair<Request, const char*> kRequests[] = {
    {Request::kCopy, "copy"}, {Request::kMatrices, "ldmatrix"}, {Request::kPlain, "plain"}};

[[noreturn]] void die(const char* what, const char* why) {
  std::fprintf(stderr, "%s: %s\n", what, why);
  std::exit(2);
}

// Enough of anything, as zeros: products of any of them are numbers.
void* zeros() {
  static std::vector<double> memory(1 << 20);
  return memory.data();
}

struct Problem {
  bool backward;
  int32_t dtype;
  int64_t head_dim;
};

class Run {
 public:
  Run(const Problem& problem, int64_t queries, int64_t keys) : backward_(problem.backward) {
    fovea_device_info device = {};
    device.size = sizeof device;
    if (fovea_device_query(kDevice, &device) != FOVEA_OK) die("device", device.error);
    Spec spec = {};
    spec.size = sizeof spec;
    spec.pass = backward_ ? FOVEA_BACKWARD : FOVEA_FORWARD;
    spec.dtype = problem.dtype;
    spec.has_lse = 1;
    spec.batch = spec.query_heads = spec.key_heads = 1;
    spec.query_length = queries, spec.key_length = keys;
    spec.head_dim = spec.value_head_dim = problem.head_dim;
    for (auto* stride : {&spec.query_stride, &spec.key_stride, &spec.value_stride, &spec.out_stride,
                         &spec.dout_stride, &spec.dquery_stride, &spec.dkey_stride,
                         &spec.dvalue_stride}) {
      (*stride)[1] = (*stride)[2] = problem.head_dim;
      (*stride)[0] = std::max(queries, keys) * problem.head_dim;
    }
    spec.lse_stride[0] = spec.lse_stride[1] = queries;
    plan_.size = sizeof plan_;
    if (fovea_plan_attention(&spec, &device, &plan_) != FOVEA_OK) die("plan", plan_.error);
  }

  const fovea_plan& plan() const { return plan_; }

  // What the kernel asks for that is counted: the only one, or the backward's for keys.
  sim::Traffic traffic() {
    const int32_t counted = backward_ ? kKeysPhase : 0;
    const size_t bytes = size_t(plan_.workspace_bytes + FOVEA_ALIGNMENT - 1);
    const std::unique_ptr<void, void (*)(void*)> workspace(
        std::aligned_alloc(FOVEA_ALIGNMENT, bytes / FOVEA_ALIGNMENT * FOVEA_ALIGNMENT), std::free);
    sim::Traffic traffic;
    for (int32_t phase = 0; phase <= counted; ++phase) {
      sim::count_traffic_of_devices(phase == counted ? &traffic : nullptr);
      launch(phase, workspace.get());
    }
    sim::count_traffic_of_devices(nullptr);
    return traffic;
  }

 private:
  void launch(int32_t phase, void* workspace) {
    void* const x = zeros();
    fovea_call call = {};
    call.size = sizeof call;
    call.phase = phase;
    call.end = plan_.items[phase];
    const Spec& spec = spec_of(plan_);
    std::vector<double> out(size_t(spec.query_length * spec.head_dim)), lse(4096);
    ForwardOperands forward = {};
    BackwardOperands backward = {};
    forward.query = forward.key = forward.value = x;
    static_cast<Inputs&>(backward) = forward;
    forward.out = out.data();
    forward.lse = reinterpret_cast<float*>(lse.data());
    backward.dout = backward.out = x;
    backward.lse = static_cast<const float*>(x);
    backward.dquery = backward.dkey = backward.dvalue = x;
    const void* const operands = backward_ ? static_cast<const void*>(&backward) : &forward;
    const int32_t status = run_pass(kOperation, plan_.pass, &plan_, &call, operands, workspace, nullptr, nullptr);
    if (status != FOVEA_OK) die(plan_.kernel, call.error);
  }

  bool backward_;
  fovea_plan plan_ = {};
};

// Of one kernel and one more tile.
struct Tile {
  std::string kernel;
  sim::Traffic shorter, longer;

  Wavefronts of(Request request) const {
    const Wavefronts less = shorter.of(request), more = longer.of(request);
    return {more.taken - less.taken, more.ideal - less.ideal};
  }
};

Tile measure(const Problem& problem) {
  const fovea_plan plan = Run(problem, 1, 1).plan();
  const auto run = [&](int64_t tiles) {
    return problem.backward ? Run(problem, tiles * plan.tile_queries, plan.tile_keys)
                            : Run(problem, plan.tile_queries, tiles * plan.tile_keys);
  };
  return {plan.kernel, run(kShortest).traffic(), run(kShortest + 1).traffic()};
}

std::vector<Tile> measure_all() {
  std::vector<Tile> all;
  for (const bool backward : {false, true}) {
    for (const int32_t dtype : {FOVEA_FLOAT16, FOVEA_BFLOAT16, FOVEA_FLOAT32}) {
      for (const int64_t head_dim : {64, 128, 256}) {
        all.push_back(measure({backward, dtype, head_dim}));
      }
    }
  }
  return all;
}

std::string header() {
  std::ostringstream text;
  text << "kernel\twavefronts\tideal\tconflicts";
  for (const auto& [request, name] : kRequests)
    text << '\t' << name << '\t' << name << "_conflicts";
  return text.str();
}

std::string row(const Tile& tile) {
  Wavefronts all;
  std::ostringstream kinds, text;
  for (const auto& [request, name] : kRequests) {
    const Wavefronts count = tile.of(request);
    all += count;
    kinds << '\t' << count.taken << '\t' << count.conflicts();
  }
  text << tile.kernel << '\t' << all.taken << '\t' << all.ideal << '\t' << all.conflicts();
  return text.str() + kinds.str();
}

std::string name_of(const std::string& row) { return row.substr(0, row.find('\t')); }

long conflicts_of(const std::string& row) {
  std::istringstream fields(row);
  std::string kernel;
  long wavefronts = 0, ideal = 0, conflicts = -1;
  fields >> kernel >> wavefronts >> ideal >> conflicts;
  return conflicts;
}

int check(const char* path) {
  std::ifstream file(path);
  if (!file) die(path, "cannot be read");
  std::map<std::string, std::string> committed;
  std::string line;
  std::getline(file, line);
  bool renew = line != header(), wrong = false;
  while (std::getline(file, line)) committed[name_of(line)] = line;
  for (const Tile& tile : measure_all()) {
    const std::string now = row(tile);
    const auto before = committed.find(tile.kernel);
    if (before == committed.end()) {
      wrong = renew = true;
      std::printf("%s is a kernel that %s does not know.\n", tile.kernel.c_str(), path);
      continue;
    }
    const long had = conflicts_of(before->second), has = conflicts_of(now);
    if (has > had) {
      wrong = true;
      std::printf(
          "%s has %ld shared-memory wavefronts of bank conflicts for each tile, and %s allows"
          " %ld: fovea_wavefronts --lines says where.\n",
          tile.kernel.c_str(), has, path, had);
    } else if (before->second != now) {
      renew = true;
      std::printf("%s is not what %s says:\n%s\n%s\n%s\n", tile.kernel.c_str(), path,
                  header().c_str(), before->second.c_str(), now.c_str());
    }
    committed.erase(before);
  }
  for (const auto& [kernel, unused] : committed) {
    renew = true;
    std::printf("%s has %s, which is no kernel.\n", path, kernel.c_str());
  }
  if (renew)
    std::printf("The table should be renewed: fovea_wavefronts > native/cuda/wavefronts.tsv\n");
  return wrong || renew;
}

using Lines = std::map<std::pair<Request, std::string>, Wavefronts>;

Lines by_line(const sim::Traffic& traffic) {
  Lines all;
  for (const sim::Traffic::Line& line : traffic.lines()) {
    all[{line.request, sim::name(line.where)}] += line.count;
  }
  return all;
}

void print_lines() {
  for (const Tile& tile : measure_all()) {
    Lines shorter = by_line(tile.shorter);
    for (const auto& [line, more] : by_line(tile.longer)) {
      const Wavefronts& less = shorter[line];
      const uint64_t taken = more.taken - less.taken, ideal = more.ideal - less.ideal;
      if (taken == ideal) continue;
      std::printf("%s\t%s\t%s\t%llu\t%llu\n", tile.kernel.c_str(),
                  kRequests[size_t(line.first)].second, line.second.c_str(),
                  (unsigned long long)taken, (unsigned long long)ideal);
    }
  }
}

}  // namespace
}  // namespace fovea::attention::cuda

int main(int count, char** arguments) {
  using namespace fovea::attention::cuda;
  if (count == 3 && std::strcmp(arguments[1], "--check") == 0) return check(arguments[2]);
  if (count == 2 && std::strcmp(arguments[1], "--lines") == 0) {
    print_lines();
  } else if (count == 1) {
    std::printf("%s\n", header().c_str());
    for (const Tile& tile : measure_all()) std::printf("%s\n", row(tile).c_str());
  } else {
    std::fprintf(stderr, "usage: fovea_wavefronts [--check FILE | --lines]\n");
    return 2;
  }
  return 0;
}
