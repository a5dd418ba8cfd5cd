#include "sim/traffic.h"

#include <algorithm>

namespace fovea::sim {
namespace {

constexpr uint32_t kBanks = 32;
constexpr uint32_t kWord = 4;

}  // namespace

Wavefronts count_wavefronts(const uint32_t (&addresses)[kWarp], uint32_t mask, uint32_t bytes) {
  const uint32_t lanes = std::min(kWarp, kWarp * kWord / bytes);  // that are served together
  Wavefronts all;
  for (uint32_t first = 0; first < kWarp; first += lanes) {
    std::vector<uint32_t> words[kBanks];
    size_t most = 0;
    for (uint32_t lane = first; lane < first + lanes; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      for (uint32_t byte = 0; byte < bytes; byte += kWord) {
        const uint32_t word = (addresses[lane] + byte) / kWord;
        std::vector<uint32_t>& bank = words[word % kBanks];
        if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
        most = std::max(most, bank.size());
      }
    }
    all += {most, most > 0};
  }
  return all;
}

void Traffic::access(Request request, uint32_t warp, uint32_t lane, uint32_t address,
                     uint32_t bytes, Where where) {
  Open& open = open_[{warp, {sites_.number(where), request}}];
  open.bytes = bytes;
  const uint32_t time = open.times[lane]++;
  if (time == open.instructions.size()) open.instructions.emplace_back();
  Instruction& instruction = open.instructions[time];
  instruction.mask |= 1u << lane;
  instruction.addresses[lane] = address;
}

void Traffic::access(Request request, const uint32_t (&addresses)[kWarp], uint32_t bytes,
                     Where where) {
  count_of(request, sites_.number(where)) += count_wavefronts(addresses, ~0u, bytes);
}

void Traffic::meet(uint32_t warp) {
  const auto begin = open_.lower_bound({warp, {}}), end = open_.lower_bound({warp + 1, {}});
  for (auto at = begin; at != end; ++at) {
    const auto& [site, request] = at->first.second;
    Wavefronts& count = count_of(request, site);
    for (const Instruction& instruction : at->second.instructions) {
      count += count_wavefronts(instruction.addresses, instruction.mask, at->second.bytes);
    }
  }
  open_.erase(begin, end);
}

void Traffic::end() {
  while (!open_.empty()) meet(open_.begin()->first.first);
}

Wavefronts& Traffic::count_of(Request request, uint32_t site) {
  const Site wanted = {site, request};
  for (auto& [at, count] : counts_) {
    if (at == wanted) return count;
  }
  return counts_.emplace_back(wanted, Wavefronts{}).second;
}

std::vector<Traffic::Line> Traffic::lines() const {
  std::vector<Line> all;
  for (const auto& [at, count] : counts_) all.push_back({at.second, sites_.at(at.first), count});
  return all;
}

Wavefronts Traffic::of(Request request) const {
  Wavefronts sum;
  for (const auto& [at, count] : counts_) {
    if (at.second == request) sum += count;
  }
  return sum;
}

}  // namespace fovea::sim
