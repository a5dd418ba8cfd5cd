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
#include <string>
#include <vector>

#include "operand_reach.h"
#include "replay.h"

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
template <typename Block>
class Exact {
 public:
  explicit Exact(const Block& block) { resize(block, sizeof block); }

  // At least four bytes, where the claim stands.
  void resize(const Block& block, size_t bytes) {
    bytes_.allocate(int64_t(std::max(bytes, sizeof(uint32_t))));
    std::memset(bytes_.data.get(), 0, size_t(bytes_.size));
    std::memcpy(bytes_.data.get(), &block, std::min(size_t(bytes_.size), sizeof block));
    get()->size = uint32_t(bytes);
  }
  Block* get() { return reinterpret_cast<Block*>(bytes_.data.get()); }
  unsigned char* bytes() { return bytes_.data.get(); }
  int64_t size() const { return bytes_.size; }

 private:
  Bytes bytes_;
};

void draw_strides(Random& random, int64_t (&stride)[3], int64_t positions, int64_t heads,
                  int64_t width) {
  const int64_t row = width + (random.once_in(4) ? random.upto(9) : 0);
  if (random.once_in(2)) {
    stride[2] = row;
    stride[1] = row * heads;
    stride[0] = stride[1] * std::max<int64_t>(positions, 1);
  } else {
    stride[1] = row;
    stride[2] = row * std::max<int64_t>(positions, 1);
    stride[0] = stride[2] * heads;
  }
  if (random.once_in(8)) stride[random.upto(2)] *= -1;
}

// One that can be planned, with every feature once in a while.
fovea_attention_spec draw_spec(Random& random) {
  fovea_attention_spec s{};
  s.size = sizeof s;
  const int32_t dtypes[] = {FOVEA_FLOAT32, FOVEA_FLOAT16, FOVEA_BFLOAT16};
  s.dtype = random.pick(dtypes);
  if (random.once_in(4)) s.out_dtype = random.pick(dtypes);
  if (random.once_in(4)) s.bias_dtype = random.pick(dtypes);
  s.packed = random.once_in(4);
  s.causal = random.once_in(2);
  s.alignment = random.once_in(4);
  s.has_window_left = random.once_in(4);
  s.has_window_right = random.once_in(4);
  s.has_scale = random.once_in(4);
  s.has_alibi = random.once_in(6);
  s.has_sinks = random.once_in(6);
  s.has_query_lengths = !s.packed && random.once_in(4);
  s.has_key_lengths = random.once_in(4);
  s.has_lse = random.once_in(2);
  s.has_weights = random.once_in(6);
  s.scale = s.has_scale ? float(random.upto(20) - 10) / 4 : 0;
  s.softcap = random.once_in(4) ? float(1 + random.upto(40)) : 0;
  s.dropout = random.once_in(4) ? float(random.upto(9)) / 10 : 0;
  s.allow_tf32 = random.once_in(4);
  s.window_left = s.has_window_left ? random.upto(20) : 0;
  s.window_right = s.has_window_right ? random.upto(20) : 0;
  s.batch = random.upto(3);
  s.query_length = random.upto(40);
  s.key_length = random.upto(70);
  s.query_total = s.packed ? random.upto(s.batch * s.query_length) : 0;
  s.key_total = s.packed ? random.upto(s.batch * s.key_length) : 0;
  s.key_heads = 1 + random.upto(2);
  s.query_heads = s.key_heads * (1 + random.upto(3));
  s.head_dim = 1 + random.upto(39);
  s.value_head_dim = random.once_in(2) ? s.head_dim : 1 + random.upto(39);
  const int64_t queries = s.packed ? s.query_total : s.query_length;
  const int64_t keys = s.packed ? s.key_total : s.key_length;
  draw_strides(random, s.query_stride, queries, s.query_heads, s.head_dim);
  draw_strides(random, s.key_stride, keys, s.key_heads, s.head_dim);
  draw_strides(random, s.value_stride, keys, s.key_heads, s.value_head_dim);
  draw_strides(random, s.out_stride, queries, s.query_heads, s.value_head_dim);
  s.lse_stride[1] = queries;
  s.lse_stride[0] = queries * s.query_heads;
  for (auto* stride : {&s.bias_stride, &s.weights_stride}) {
    (*stride)[2] = s.key_length;
    (*stride)[1] = s.key_length * queries;
    (*stride)[0] = s.key_length * queries * s.query_heads;
  }
  if (random.once_in(2)) s.bias_stride[random.upto(2)] = 0;
  s.alibi_stride[1] = 1;
  s.alibi_stride[0] = random.once_in(2) ? s.query_heads : 0;
  return s;
}

fovea_attention_gradients draw_gradients(Random& random, const fovea_attention_spec& s) {
  fovea_attention_gradients g{};
  g.size = sizeof g;
  const int32_t dtypes[] = {0, FOVEA_FLOAT32, FOVEA_FLOAT16, FOVEA_BFLOAT16};
  g.dtype = random.pick(dtypes);
  g.deterministic = random.once_in(2);
  g.accumulate = random.once_in(4);
  g.has_dbias = s.bias_dtype != 0 && random.once_in(2);
  g.has_dalibi = s.has_alibi == 1 && random.once_in(2);
  g.has_dsinks = s.has_sinks == 1 && random.once_in(2);
  std::memcpy(g.dout_stride, s.out_stride, sizeof g.dout_stride);
  std::memcpy(g.dquery_stride, s.query_stride, sizeof g.dquery_stride);
  std::memcpy(g.dkey_stride, s.key_stride, sizeof g.dkey_stride);
  std::memcpy(g.dvalue_stride, s.value_stride, sizeof g.dvalue_stride);
  std::memcpy(g.dbias_stride, s.bias_stride, sizeof g.dbias_stride);
  std::memcpy(g.dalibi_stride, s.alibi_stride, sizeof g.dalibi_stride);
  return g;
}

// Some words of a block become numbers that somebody once forgot, or lose a bit; or its size changes.
template <typename Block>
void mutate(Random& random, Exact<Block>& block) {
  if (random.once_in(8)) {
    const Block before = *block.get();
    block.resize(before, size_t(random.upto(2 * int64_t{sizeof before})));
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
    const fovea_attention_spec drawn = draw_spec(random);
    const bool backward = random.once_in(2);
    Exact<fovea_attention_spec> spec(drawn);
    if (backward && random.upto(7) > 0) {
      spec.get()->has_lse = 1;
      spec.get()->has_weights = 0;
    }
    Exact<fovea_attention_gradients> gradients(draw_gradients(random, drawn));
    Exact<fovea_device_info> device(device_);
    device.get()->isa = random.once_in(2) ? FOVEA_ISA_PORTABLE : device_.isa;
    if (random.upto(3) > 0) mutate(random, spec);
    if (random.once_in(2)) mutate(random, gradients);
    if (random.once_in(4)) mutate(random, device);
    fovea_attention_plan empty{};
    Exact<fovea_attention_plan> plan(empty);
    if (random.once_in(50)) plan.resize(empty, size_t(random.upto(2 * int64_t{sizeof empty})));
    blocks_ += 3 + backward;
    const bool sized = plan.get()->size == sizeof empty;
    const int32_t status =
        backward ? fovea_plan_attention_backward(spec.get(), gradients.get(), device.get(), plan.get())
                 : fovea_plan_attention(spec.get(), device.get(), plan.get());
    if (!sized) {
      if (status != FOVEA_INVALID_ARGUMENT) wrong("a plan of another size is answered");
      return;
    }
    if (!answered(status, plan.get()->error)) wrong("plan: status " + std::to_string(status));
    ++(status == FOVEA_OK ? planned_ : refused_);
    if (status != FOVEA_OK) return;
    check(*plan.get());
    use_damaged(random, *plan.get(), backward);
    if (fovea_prepare_attention(plan.get()) == FOVEA_OK && is_small(*plan.get(), backward)) {
      execute(random, plan.get(), backward);
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
  void check(const fovea_attention_plan& plan) const {
    bool right = plan.phases >= 1 && plan.phases <= FOVEA_MAX_PHASES && plan.workspace_bytes >= 0 &&
                 plan.scratch_bytes >= 0 && plan.flops >= 0;
    for (int32_t phase = 0; phase < FOVEA_MAX_PHASES; ++phase) {
      right &= plan.items[phase] >= 0 && (phase < plan.phases || plan.items[phase] == 0);
    }
    if (!right) wrong("a plan has numbers that no run can have");
  }

  // A plan that somebody wrote into is refused; so are calls of any kind without operands.
  void use_damaged(Random& random, const fovea_attention_plan& plan, bool backward) {
    Exact<fovea_attention_plan> damaged(plan);
    mutate(random, damaged);
    fovea_attention_call empty{};
    empty.size = sizeof empty;
    empty.end = 1;
    Exact<fovea_attention_call> call(empty);
    if (random.once_in(2)) mutate(random, call);
    blocks_ += 2;
    const bool sized = damaged.size() == sizeof plan;
    const bool same = sized && std::memcmp(damaged.get(), &plan, offsetof(fovea_attention_plan, error)) == 0 &&
                      damaged.get()->seal == plan.seal;
    const int32_t prepared = fovea_prepare_attention(damaged.get());
    if (!same && prepared != FOVEA_INVALID_ARGUMENT) wrong("a damaged plan is prepared");
    if (sized && !answered(prepared, damaged.get()->error)) wrong("prepare gives no reason");
    const int32_t status = run_without_operands(damaged.get(), call.get(), backward);
    const bool called = call.size() == sizeof empty;
    const bool nothing = called && call.get()->begin == call.get()->end;
    if (status == FOVEA_OK && !(same && nothing)) wrong("a run without operands is OK");
    if (called && !answered(status, call.get()->error)) wrong("a run gives no reason");
  }

  static int32_t run_without_operands(const fovea_attention_plan* plan, fovea_attention_call* call,
                                      bool backward) {
    return backward ? fovea_run_attention_backward(
                          plan, call, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                          nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                          nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr)
                    : fovea_run_attention(plan, call, nullptr, nullptr, nullptr, nullptr, nullptr,
                                          nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                          nullptr, nullptr, nullptr, nullptr, nullptr);
  }

  static constexpr int64_t kMostBytes = 1 << 22;

  static bool is_small(const fovea_attention_plan& plan, bool backward) {
    if (plan.workspace_bytes > kMostBytes || plan.scratch_bytes > kMostBytes || plan.flops > 1e8) {
      return false;
    }
    for (int64_t items : plan.items) {
      if (items > 10000) return false;
    }
    for (const Reach& reach : reaches(plan, backward)) {
      if (reach.present && (reach.high - reach.low) * reach.width() > kMostBytes) return false;
    }
    return true;
  }

  static std::vector<Reach> reaches(const fovea_attention_plan& plan, bool backward) {
    return backward ? OperandReach(plan).backward() : OperandReach(plan).forward();
  }

  struct Aligned {
    std::unique_ptr<void, Free> data;
    explicit Aligned(int64_t bytes) {
      void* at = nullptr;
      if (bytes > 0 && posix_memalign(&at, FOVEA_ALIGNMENT, size_t(bytes)) != 0) die("no memory");
      data.reset(at);
    }
  };

  void execute(Random& random, const fovea_attention_plan* plan, bool backward) {
    const std::vector<Reach> all = reaches(*plan, backward);
    const size_t inputs = (backward ? kBackwardInputs : kForwardInputs).size();
    std::vector<Bytes> buffers(all.size());
    Addresses at{};
    for (size_t i = 0; i < all.size(); ++i) {
      void* address = nullptr;
      if (all[i].present) {
        const int64_t width = all[i].width(), bytes = int64_t(all[i].high - all[i].low) * width;
        buffers[i].allocate(bytes);
        fill(random, all[i], buffers[i], *plan);
        address = buffers[i].data.get() - int64_t(all[i].low) * width;
      }
      (i < inputs ? at.in : at.out).push_back(address);
    }
    const Aligned workspace(plan->workspace_bytes), scratch(plan->scratch_bytes);
    at.workspace = workspace.data.get();
    Case c;
    c.backward = backward;
    c.seed = random.next();
    ++runs_;
    ++blocks_;
    for (int32_t phase = 0; phase < plan->phases; ++phase) {
      const std::string error = run_items(library_, *plan, c, at, phase, 0, plan->items[phase],
                                          scratch.data.get(), nullptr);
      if (error.empty()) continue;
      ++refused_runs_;
      if (error == "run: ") wrong("a run is refused without a reason");
      if (!may_be_refused(*plan)) wrong(error);
      return;
    }
  }

  // Lengths are contents, which a plan does not know.
  static bool may_be_refused(const fovea_attention_plan& plan) {
    return plan.spec.packed || plan.spec.has_query_lengths || plan.spec.has_key_lengths;
  }

  static void fill(Random& random, const Reach& reach, Bytes& bytes,
                   const fovea_attention_plan& plan) {
    if (reach.dtype != kInt32) {
      for (int64_t i = 0; i < bytes.size; ++i) bytes.data.get()[i] = uint8_t(random.next());
      return;
    }
    auto* const lengths = reinterpret_cast<int32_t*>(bytes.data.get());
    const int64_t count = bytes.size / int64_t{sizeof(int32_t)};
    const bool of_queries = std::strstr(reach.name, "query") != nullptr || std::strstr(reach.name, "_q");
    const int64_t longest = of_queries ? plan.spec.query_length : plan.spec.key_length;
    const int64_t total = of_queries ? plan.spec.query_total : plan.spec.key_total;
    int64_t begin = 0;
    for (int64_t i = 0; i < count; ++i) {
      const bool offsets = std::strncmp(reach.name, "cu_", 3) == 0;
      lengths[i] = int32_t(offsets ? begin : random.upto(longest));
      const int64_t rest = total - begin, most = std::min(rest, longest);
      begin += i + 2 == count ? rest : random.upto(most);
      if (random.once_in(100)) lengths[i] = int32_t(random.next());
    }
  }

  const Library library_ = {fovea_library_query,           fovea_device_query,
                            fovea_plan_attention,          fovea_plan_attention_backward,
                            fovea_prepare_attention,       fovea_run_attention,
                            fovea_run_attention_backward};
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
