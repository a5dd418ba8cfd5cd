// Feeds the C ABI blocks that are wrong in seeded ways: specs, gradients, devices, plans and calls. Every
// answer is to be one that fovea.h documents, with its reason; what can be planned, and is small, is run
// on buffers that end where the plan's reach does. Built with AddressSanitizer and UBSan, which end the
// program where a library would corrupt memory.
//
//   fuzz_blocks [BLOCKS [SEED [ROUND]]]    from a round on that went wrong before
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "case_file.h"
#include "core/entry.h"
#include "run_any.h"

namespace fovea::replay {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea and Flood, 2014).
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  int64_t upto(int64_t most) { return int64_t(next() % uint64_t(most + 1)); }
  bool once_in(int64_t n) { return upto(n - 1) == 0; }
  template <typename T, size_t kCount>
  T pick(const T (&of)[kCount]) {
    return of[upto(kCount - 1)];
  }

 private:
  uint64_t state_;
};

// A block in storage of exactly the bytes that it claims: what is read behind it is seen.
class Exact {
 public:
  Exact(const void* block, size_t bytes) { resize(block, bytes, bytes); }

  // At least four bytes, where the claim stands.
  void resize(const void* block, size_t known, size_t bytes) {
    bytes_.allocate(int64_t(std::max(bytes, sizeof(uint32_t))));
    std::memset(bytes_.data.get(), 0, size_t(bytes_.size));
    std::memcpy(bytes_.data.get(), block, std::min(size_t(bytes_.size), known));
    const auto claim = uint32_t(bytes);
    std::memcpy(bytes_.data.get(), &claim, sizeof claim);
  }
  template <typename Block>
  Block* as() {
    return reinterpret_cast<Block*>(bytes_.data.get());
  }
  unsigned char* bytes() { return bytes_.data.get(); }
  int64_t size() const { return bytes_.size; }

 private:
  Bytes bytes_;
};

// One that can mostly be planned, with every feature once in a while.
class SpecDraw {
 public:
  SpecDraw(Random& random, const Operation& operation) : random_(random), operation_(operation) {}

  std::vector<unsigned char> draw() {
    spec_.assign(operation_.spec_bytes, 0);
    word(0, int32_t(operation_.spec_bytes));
    for (const Field& field : operation_.fields) draw_field(field);
    for (const Number& number : operation_.numbers) {
      const float value = random_.once_in(2) ? 0 : float(random_.upto(8)) / 8;
      std::memcpy(&spec_[number.offset], &value, sizeof value);
    }
    const bool trains = operation_.operands[FOVEA_BACKWARD].size() > 0;
    word(offsetof(SpecHead, pass), trains && random_.once_in(2));
    for (const Size& size : operation_.sizes) {
      wide(size.offset, std::min(size.high, size.low + random_.upto(random_.once_in(2) ? 3 : 60)));
    }
    if (operation_.packed != 0 && read_word(spec_.data(), operation_.packed) != 0) draw_totals();
    for (const List<Operand>& operands : operation_.operands) {
      for (const Operand& operand : operands) draw_strides(operand);
    }
    return spec_;
  }

 private:
  void word(size_t offset, int32_t value) { std::memcpy(&spec_[offset], &value, sizeof value); }
  void wide(size_t offset, int64_t value) { std::memcpy(&spec_[offset], &value, sizeof value); }

  void draw_field(const Field& field) {
    const bool needed = field.offset == offsetof(SpecHead, dtype);
    switch (field.kind) {
      case Kind::kType:
        if (needed || random_.once_in(4)) word(field.offset, int32_t(1 + random_.upto(2)));
        break;
      case Kind::kQueryType:
        word(field.offset, random_.once_in(6) ? FOVEA_FLOAT8_E4M3 : int32_t(1 + random_.upto(2)));
        break;
      case Kind::kCacheType:
        if (random_.once_in(2)) word(field.offset, int32_t(1 + random_.upto(5)));
        break;
      case Kind::kFlag:
        word(field.offset, random_.once_in(4) ? int32_t(random_.upto(field.most)) : 0);
        break;
      case Kind::kBound:
        wide(field.offset, random_.upto(20));
        break;
      case Kind::kOther:
        break;
    }
  }

  void draw_totals() {
    const int64_t batch = read_wide(spec_.data(), operation_.sizes[0].offset);
    for (const Size& size : operation_.sizes) {
      if (size.total == 0) continue;
      wide(size.total, random_.upto(batch * read_wide(spec_.data(), size.offset)));
    }
  }

  // Dense in some order, with room between rows, or backwards, or one element for all.
  void draw_strides(const Operand& operand) {
    if (operand.strides == 0) return;
    const Shape shape = shape_of(operation_, spec_.data(), operand);
    int order[kMaxRank];
    std::iota(order, order + kMaxRank, 0);
    const int count = shape.rank - 1;
    for (int i = count - 1; i > 0; --i) std::swap(order[i], order[random_.upto(i)]);
    int64_t step = shape.size[count] + (random_.once_in(4) ? random_.upto(9) : 0);
    for (int i = 0; i < count; ++i) {
      const int dim = order[i];
      const bool one = operand.dims[dim].sums && random_.once_in(3);
      wide(operand.strides + sizeof(int64_t) * size_t(dim), one ? 0 : random_.once_in(16) ? -step : step);
      step *= std::max<int64_t>(1, shape.size[dim]);
    }
  }

  Random& random_;
  const Operation& operation_;
  std::vector<unsigned char> spec_;
};

// Some words of a block become numbers that somebody once forgot, or lose a bit; or its size changes.
void mutate(Random& random, Exact& block) {
  if (random.once_in(8)) {
    const std::vector<unsigned char> before(block.bytes(), block.bytes() + block.size());
    block.resize(before.data(), before.size(), size_t(random.upto(2 * block.size())));
  }
  for (int64_t n = random.upto(3); n > 0; --n) {
    const int64_t numbers[] = {0,
                               1,
                               -1,
                               2,
                               random.upto(100),
                               INT32_MAX,
                               INT32_MIN,
                               int64_t{1} << 31,
                               int64_t{1} << 32,
                               int64_t{1} << 40,
                               int64_t{1} << 60,
                               INT64_MAX,
                               INT64_MIN,
                               INT64_MIN + 1,
                               0x7fc00000,
                               0x7f800000,
                               1,
                               int64_t(random.next())};
    const int64_t width = random.once_in(2) ? 4 : 8;
    // Not the size: what a block claims to have, it must have.
    const int64_t words = (block.size() - 8) / width;
    if (words <= 0) return;
    unsigned char* const at = block.bytes() + 8 + random.upto(words - 1) * width - (width == 4) * 4;
    if (random.once_in(4)) {
      at[random.upto(width - 1)] ^= uint8_t(1u << random.upto(7));
    } else {
      const int64_t number = random.pick(numbers);
      std::memcpy(at, &number, size_t(width));
    }
  }
}

class Fuzzer {
 public:
  Fuzzer(uint64_t seed, int64_t round) : seed_(seed), round_(round) {
    device_.size = sizeof device_;
    if (fovea_device_query(0, &device_) != FOVEA_OK) die(device_.error);
  }

  void run(int64_t blocks) {
    while (blocks_ < blocks) {
      Random random((seed_ << 40) + uint64_t(round_));
      round(random);
      ++round_;
    }
    std::printf("{\"blocks\": %lld, \"seed\": %llu, \"planned\": %lld, \"refused\": %lld, "
                "\"runs\": %lld, \"refused runs\": %lld}\n",
                (long long)blocks_, (unsigned long long)seed_, (long long)planned_,
                (long long)refused_, (long long)runs_, (long long)refused_runs_);
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    die(what + "; again by: fuzz_blocks 1 " + std::to_string(seed_) + " " + std::to_string(round_));
  }

  void round(Random& random) {
    const Operation& operation = *kOperations[random.upto(std::size(kOperations) - 1)];
    const std::vector<unsigned char> drawn = SpecDraw(random, operation).draw();
    Exact spec(drawn.data(), drawn.size()), device(&device_, sizeof device_);
    device.as<fovea_device_info>()->isa = random.once_in(2) ? FOVEA_ISA_PORTABLE : device_.isa;
    if (random.upto(3) > 0) mutate(random, spec);
    if (random.once_in(4)) mutate(random, device);
    fovea_plan empty{};
    Exact plan(&empty, sizeof empty);
    if (random.once_in(50)) {
      plan.resize(&empty, sizeof empty, size_t(random.upto(2 * int64_t{sizeof empty})));
    }
    blocks_ += 3;
    const bool sized = plan.size() == sizeof empty;
    const int32_t status = plan_pass(operation, spec.bytes(), device.as<fovea_device_info>(),
                                     plan.as<fovea_plan>());
    if (!sized) {
      if (status != FOVEA_INVALID_ARGUMENT) wrong("a plan of another size is answered");
      return;
    }
    const fovea_plan& made = *plan.as<fovea_plan>();
    if (!answered(status, made.error)) wrong("plan: status " + std::to_string(status));
    ++(status == FOVEA_OK ? planned_ : refused_);
    if (status != FOVEA_OK) return;
    check(made);
    use_damaged(random, operation, made);
    if (fovea_prepare(plan.as<fovea_plan>()) == FOVEA_OK && is_small(operation, made)) {
      execute(random, operation, made);
    }
  }

  template <size_t kLength>
  static bool answered(int32_t status, const char (&error)[kLength]) {
    if (status == FOVEA_OK) return true;
    const void* const end = std::memchr(error, 0, kLength);
    return (status == FOVEA_INVALID_ARGUMENT || status == FOVEA_UNSUPPORTED) && end != nullptr &&
           error[0] != '\0';
  }

  // What a caller counts on.
  void check(const fovea_plan& plan) const {
    bool right = plan.phases >= 1 && plan.phases <= FOVEA_MAX_PHASES && plan.workspace_bytes >= 0 &&
                 plan.scratch_bytes >= 0 && plan.flops >= 0;
    for (int32_t phase = 0; phase < FOVEA_MAX_PHASES; ++phase) {
      right &= plan.items[phase] >= 0 && (phase < plan.phases || plan.items[phase] == 0);
    }
    if (!right) wrong("a plan has numbers that no run can have");
  }

  // A plan that somebody wrote into is refused; so are calls of any kind without operands.
  void use_damaged(Random& random, const Operation& operation, const fovea_plan& plan) {
    Exact damaged(&plan, sizeof plan);
    mutate(random, damaged);
    fovea_call empty{};
    empty.size = sizeof empty;
    empty.end = 1;
    Exact call(&empty, sizeof empty);
    if (random.once_in(2)) mutate(random, call);
    blocks_ += 2;
    const bool sized = damaged.size() == sizeof plan;
    // What a spec does not fill nobody reads.
    const size_t used = offsetof(fovea_plan, spec) + operation.spec_bytes;
    const bool same = sized && std::memcmp(damaged.bytes(), &plan, used) == 0 &&
                      damaged.as<fovea_plan>()->seal == plan.seal;
    const int32_t prepared = fovea_prepare(damaged.as<fovea_plan>());
    if (!same && prepared != FOVEA_INVALID_ARGUMENT) wrong("a damaged plan is prepared");
    if (sized && !answered(prepared, damaged.as<fovea_plan>()->error)) {
      wrong("prepare gives no reason");
    }
    const void* const nothing[kMostOperands] = {};
    const int32_t status = run_pass(operation, plan.pass, damaged.as<fovea_plan>(),
                                    call.as<fovea_call>(), nothing, nullptr, nullptr, nullptr);
    const fovea_call& made = *call.as<fovea_call>();
    const bool called = call.size() == sizeof empty;
    if (status == FOVEA_OK && !(same && called && (made.begin == made.end || plan.needed == 0))) {
      wrong("a run without operands is OK");
    }
    if (called && !answered(status, made.error)) wrong("a run gives no reason");
  }

  static constexpr int64_t kMostBytes = 1 << 22;

  static bool is_small(const Operation& operation, const fovea_plan& plan) {
    if (plan.workspace_bytes > kMostBytes || plan.scratch_bytes > kMostBytes || plan.flops > 1e8) {
      return false;
    }
    for (int64_t items : plan.items) {
      if (items > 10000) return false;
    }
    for (const Operand& operand : operation.operands[plan.pass]) {
      const Shape shape = shape_of(operation, plan.spec, operand);
      const Reach reach = reach_of(shape);
      if (is_present(plan.spec, operand) &&
          (reach.high - reach.low) * shape.element_bytes > kMostBytes) {
        return false;
      }
    }
    return true;
  }

  struct Aligned {
    std::unique_ptr<void, Free> data;
    explicit Aligned(int64_t bytes) {
      void* at = nullptr;
      if (bytes > 0 && posix_memalign(&at, FOVEA_ALIGNMENT, size_t(bytes)) != 0) die("no memory");
      data.reset(at);
    }
  };

  void execute(Random& random, const Operation& operation, const fovea_plan& plan) {
    const void* addresses[kMostOperands] = {};
    std::vector<Bytes> buffers;
    bool integers = false;  // of which a plan does not know whether they are in range
    for (const Operand& operand : operation.operands[plan.pass]) {
      Bytes& buffer = buffers.emplace_back();
      if (!is_present(plan.spec, operand)) continue;
      const Shape shape = shape_of(operation, plan.spec, operand);
      const Reach reach = reach_of(shape);
      buffer.allocate(int64_t(reach.high - reach.low) * shape.element_bytes);
      integers |= operand.counts >= 0 || operand.type == Type::kInt32;
      if (operand.counts < 0) {
        const bool small = operand.type == Type::kInt32 && random.once_in(2);
        for (int64_t i = 0; i < buffer.size; ++i) {
          buffer.data.get()[i] = small ? i % 4 == 0 && random.once_in(2) : uint8_t(random.next());
        }
      } else {
        fill_lengths(random, operation, plan, operand, buffer);
      }
      addresses[buffers.size() - 1] =
          buffer.data.get() - int64_t(reach.low) * shape.element_bytes;
    }
    const Aligned workspace(plan.workspace_bytes), scratch(plan.scratch_bytes);
    fovea_call call{};
    call.size = sizeof call;
    call.dropout_seed = random.next();
    ++runs_;
    ++blocks_;
    for (call.phase = 0; call.phase < plan.phases; ++call.phase) {
      call.end = plan.items[call.phase];
      const int32_t status = run_pass(operation, plan.pass, &plan, &call, addresses,
                                      workspace.data.get(), scratch.data.get(), nullptr);
      if (status == FOVEA_OK) continue;
      ++refused_runs_;
      if (call.error[0] == 0) wrong("a run is refused without a reason");
      if (!integers) wrong(call.error);
      return;
    }
  }

  static void fill_lengths(Random& random, const Operation& operation, const fovea_plan& plan,
                           const Operand& operand, Bytes& bytes) {
    auto* const lengths = reinterpret_cast<int32_t*>(bytes.data.get());
    const int64_t count = bytes.size / int64_t{sizeof(int32_t)};
    const Size& size = operation.sizes[operand.counts];
    const int64_t longest = read_wide(plan.spec, size.offset);
    const int64_t total = read_wide(plan.spec, size.total);
    int64_t begin = 0;
    for (int64_t i = 0; i < count; ++i) {
      lengths[i] = int32_t(operand.type == Type::kOffsets ? begin : random.upto(longest));
      const int64_t rest = total - begin, most = std::min(rest, longest);
      begin += i + 2 == count ? rest : random.upto(most);
      if (random.once_in(100)) lengths[i] = int32_t(random.next());
    }
  }

  const uint64_t seed_;
  fovea_device_info device_{};
  int64_t round_;
  int64_t blocks_ = 0, planned_ = 0, refused_ = 0, runs_ = 0, refused_runs_ = 0;
};

}  // namespace
}  // namespace fovea::replay

int main(int argc, char** argv) {
  const int64_t blocks = argc > 1 ? std::atoll(argv[1]) : 100000;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const int64_t round = argc > 3 ? std::atoll(argv[3]) : 0;
  fovea::replay::Fuzzer(seed, round).run(blocks);
}
