#include "measure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>

namespace fovea::attention::cuda::variants {
namespace {

constexpr int kRounds = 3;

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", x);
  return text;
}

template <typename Value>
std::string list(const std::vector<Value>& values) {
  std::string text;
  for (const Value& x : values) text += (text.empty() ? "" : ", ") + number(double(x));
  return "[" + text + "]";
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Lengths of which half are masked: long rows tell most, short ones what a block costs to begin.
std::vector<Problem> timed_problems(const Options& options, int64_t head_dim) {
  std::vector<Problem> all;
  for (const auto& [share, causal] : {std::pair(int64_t{16}, true), {4, true}, {2, false}}) {
    const int64_t length = options.tokens / share, heads = options.width / head_dim;
    std::string name = "s";
    name += std::to_string(length) + (causal ? "/causal" : "/full");
    all.push_back({name, share, heads, heads, length, length, head_dim, causal, {}, {}});
  }
  return all;
}

// What lse is on average for standard normal operands; the time does not depend on more.
RowValues usual_rows(const Problem& problem) {
  RowValues rows = {std::vector<float>(problem.rows()), std::vector<float>(problem.rows())};
  for (int64_t n = 0; n < problem.rows(); ++n) {
    const int64_t b = n / problem.queries / problem.heads;
    rows.lse[n] = float(std::log(double(problem.visible(b, n % problem.queries))) + 0.5);
  }
  return rows;
}

std::vector<float> to_floats(const std::vector<double>& from) { return {from.begin(), from.end()}; }

template <typename Element>
std::string judge(const Device& device, const Expected& expected, const char* name,
                  const Element* at) {
  std::vector<Element> read(expected.value.size());
  device.read(read.data(), at, read.size() * sizeof(Element));
  std::vector<float> actual(read.size());
  std::transform(read.begin(), read.end(), actual.begin(), [](Element x) { return to_float(x); });
  return expected.judge(name, actual);
}

class Session {
 public:
  Session(const Options& options, int64_t head_dim, const std::vector<Reference>& references)
      : options_(options),
        references_(references),
        timed_(timed_problems(options, head_dim)),
        operands_(device_, most([](const Problem& p) {
                    return std::max(p.query_elements(), p.key_elements());
                  }),
                  most([](const Problem& p) { return p.rows(); }),
                  most([](const Problem& p) { return p.batch; })) {}

  const Device& device() const { return device_; }

  // Empty, or what is wrong with the kernel's results.
  std::string check(const Kernel& kernel) {
    for (const Reference& reference : references_) {
      const std::string wrong = check(kernel, reference);
      if (!wrong.empty()) return reference.problem.name + ": " + wrong;
    }
    return "";
  }

  // Problems that are timed begin with the same operands: the first million of each, repeated.
  void fill() {
    constexpr size_t kCount = 999'983;  // prime, so that no two rows are equal
    unsigned seed = 1;
    for (bfloat16* to : {operands_.query, operands_.key, operands_.value, operands_.dout}) {
      const size_t size = size_t(timed_[0].query_elements());
      const auto some = random_elements(std::min(kCount, size), seed++);
      device_.write(to, some.data(), some.size() * sizeof *to);
      device_.repeat(to, some.size() * sizeof *to, size * sizeof *to);
    }
  }

  const std::vector<Problem>& timed() const { return timed_; }

  Device::Timing time(const Kernel& kernel, const Problem& problem) {
    Launch launch = kernel.launch(problem, operands_, usual_rows(problem));
    device_.run(launch);
    const double once = device_.time(launch, 1).milliseconds;
    const int count = std::clamp(int(options_.batch_milliseconds / std::max(once, 1e-3)), 1, 1000);
    return device_.time(launch, count);
  }

  int resident_blocks(const Kernel& kernel) {
    return device_.resident_blocks(kernel.launch(timed_[0], operands_, usual_rows(timed_[0])));
  }

 private:
  template <typename Size>
  int64_t most(Size size) const {
    int64_t largest = 1;
    for (const Problem& problem : timed_) largest = std::max(largest, size(problem));
    for (const Reference& it : references_) largest = std::max(largest, size(it.problem));
    return largest;
  }

  std::string check(const Kernel& kernel, const Reference& it) {
    constexpr uint8_t kNaN = 0xff;  // of every byte, in both types
    const Problem& problem = it.problem;
    const size_t rows = size_t(problem.query_elements()), keys = size_t(problem.key_elements());
    constexpr size_t kSize = sizeof(bfloat16);
    device_.write(operands_.query, it.query.data(), rows * kSize);
    device_.write(operands_.key, it.key.data(), keys * kSize);
    device_.write(operands_.value, it.value.data(), keys * kSize);
    device_.write(operands_.dout, it.dout.data(), rows * kSize);
    operands_.write_lengths(problem);
    for (bfloat16* to : {operands_.out, operands_.dquery}) device_.fill(to, kNaN, rows * kSize);
    for (bfloat16* to : {operands_.dkey, operands_.dvalue}) device_.fill(to, kNaN, keys * kSize);
    device_.fill(operands_.lse, kNaN, size_t(problem.rows()) * sizeof(float));
    device_.run(kernel.launch(problem, operands_,
                              {to_floats(it.lse.value), to_floats(it.delta)}));
    if (const auto convert = kernel.convert(problem, operands_)) device_.run(*convert);
    device_.synchronize();
    std::string wrong;
    const auto also = [&](const Expected& expected, const char* name, const auto* at) {
      if (wrong.empty()) wrong = judge(device_, expected, name, at);
    };
    if (kernel.variant.is_backward()) {
      also(it.dkey, "dkey", operands_.dkey);
      also(it.dvalue, "dvalue", operands_.dvalue);
      also(it.dquery, "dquery", operands_.dquery);
    } else {
      also(it.out, "out", operands_.out);
      also(it.lse, "lse", operands_.lse);
    }
    return wrong;
  }

  const Options& options_;
  const std::vector<Reference>& references_;
  const std::vector<Problem> timed_;
  Device device_;
  Operands operands_;
};

// Of one variant: by problem, its rounds.
struct Measured {
  struct Rounds {
    std::vector<double> tflops, ratios;
    std::vector<unsigned> mhz;
  };
  std::vector<Rounds> problems;
};

std::string told(const Measured& measured, const std::vector<Problem>& problems, int resident) {
  double logarithms = 0;
  bool compared = true;
  std::string shapes;
  for (size_t p = 0; p < problems.size(); ++p) {
    const Measured::Rounds& it = measured.problems[p];
    compared = compared && !it.ratios.empty();
    if (compared) logarithms += std::log(median(it.ratios));
    shapes += std::string(p == 0 ? "" : ", ") + quoted(problems[p].name) +
              ": {\"tflops\": " + number(median(it.tflops)) + ", \"rounds\": " + list(it.tflops) +
              ", \"ratios\": " + list(it.ratios) + ", \"mhz\": " + list(it.mhz) + "}";
  }
  return std::string("\"ratio\": ") +
         (compared ? number(std::exp(logarithms / double(problems.size()))) : "null") +
         ", \"resident\": " + std::to_string(resident) + ", \"shapes\": {" + shapes + "}";
}

std::string reason(const std::string& text) { return "\"reason\": " + quoted(text); }

}  // namespace

std::string quoted(const std::string& text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    all += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return all + "\"";
}

std::vector<Reference> make_references(int head_dim) {
  std::vector<Reference> all;
  all.emplace_back(Problem{"small", 1, 2, 1, 300, 300, head_dim, false, {}, {}});
  // The second sequence has rows that see no key, and padding on both sides.
  all.emplace_back(
      Problem{"masked", 2, 2, 1, 200, 333, head_dim, true, {200, 171}, {333, 150}});
  return all;
}

void measure(const Options& options, const std::vector<const Variant*>& variants,
             const std::vector<Reference>& references, const Report& report) {
  constexpr int kCapability = 90;
  report(0, "", "");
  Session session(options, variants[0]->head_dim, references);
  const fovea_device_info& info = session.device().info();
  if (info.compute_capability != kCapability) {
    for (size_t i = 0; i < variants.size(); ++i) {
      report(i, "unsupported",
             reason("the device has compute capability " + std::to_string(info.compute_capability) +
                    ", the variants are for " + std::to_string(kCapability)));
    }
    return;
  }
  std::map<size_t, Kernel> kernels;  // those that are right
  for (size_t i = 0; i < variants.size(); ++i) {
    report(i, "", "");
    Kernel kernel(session.device(), *variants[i], options.folder);
    const std::string wrong = session.check(kernel);
    if (wrong.empty()) {
      kernels.emplace(i, kernel);
    } else {
      report(i, "failed", reason(wrong));
    }
  }
  session.fill();
  const auto& problems = session.timed();
  std::map<size_t, Measured> measured;
  for (const auto& [i, kernel] : kernels) measured[i].problems.resize(problems.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t p = 0; p < problems.size(); ++p) {
      double baseline = 0;
      for (const auto& [i, kernel] : kernels) {
        report(i, "", "");
        const Device::Timing timing = session.time(kernel, problems[p]);
        const double tflops = kernel.flops(problems[p]) / timing.milliseconds * 1e-9;
        if (kernel.variant.is_baseline()) baseline = tflops;
        Measured::Rounds& it = measured[i].problems[p];
        it.tflops.push_back(tflops);
        if (baseline > 0) it.ratios.push_back(tflops / baseline);
        if (timing.mhz > 0) it.mhz.push_back(timing.mhz);
      }
    }
  }
  for (const auto& [i, kernel] : kernels) {
    double fastest = 0;
    for (const auto& it : measured[i].problems) {
      fastest = std::max(fastest, *std::max_element(it.tflops.begin(), it.tflops.end()));
    }
    const std::string fields = told(measured[i], problems, session.resident_blocks(kernel));
    const bool possible = fastest * 1e12 <= session.device().limit_flops();
    report(i, possible ? "measured" : "refused",
           possible ? fields : reason("more than the device can do") + ", " + fields);
  }
}

}  // namespace fovea::attention::cuda::variants
