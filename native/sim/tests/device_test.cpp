// The simulator behind cuda/device.h: its devices, its options, and the memory that a plan guards.

#include "cuda/device.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ops/attention/attention.h"
#include "sim/tests/check.h"
#include "tile/mma.cuh"

namespace fovea::test {
namespace {

TEST(devices) {
  const struct {
    const char* name;
    int32_t compute_capability, multiprocessors;
    int64_t shared_memory;
  } expected[] = {{"NVIDIA A100-SXM4-80GB (simulated)", 80, 108, 166912},
                  {"NVIDIA L40S (simulated)", 89, 142, 101376},
                  {"NVIDIA H200 (simulated)", 90, 132, 232448},
                  {"NVIDIA B200 (simulated)", 100, 148, 232448}};
  for (int32_t i = 0; i < 4; ++i) {
    fovea_device_info device = {};
    CHECK_EQUAL(backend::query(i, device), FOVEA_OK);
    CHECK_EQUAL(device.kind, FOVEA_DEVICE_CUDA);
    CHECK_EQUAL(device.index, i);
    CHECK_EQUAL(std::string(device.name), expected[i].name);
    CHECK_EQUAL(device.compute_capability, expected[i].compute_capability);
    CHECK_EQUAL(device.multiprocessors, expected[i].multiprocessors);
    CHECK_EQUAL(device.shared_memory, expected[i].shared_memory);
    CHECK(device.cache_bytes >= 40 << 20 && device.memory_bytes >= int64_t{48} << 30);
  }
  for (const int32_t i : {-1, 4}) {
    fovea_device_info device = {};
    CHECK_EQUAL(backend::query(i, device), FOVEA_INVALID_ARGUMENT);
    CHECK(contains(device.error, "device index is " + std::to_string(i) + ", expected 0 to 3"));
  }
}

// What the kernel is to touch.
const char* touched = nullptr;
uint32_t touched_bytes = 0;
bool touch_writes = false;

void touch(char) {
  if (tile::thread_index() != 7) return;
  char data[4] = {};
  if (touch_writes) {
    sim::global_write(const_cast<char*>(touched), data, touched_bytes, sim::Where::current());
  } else {
    sim::global_read(touched, data, touched_bytes, sim::Where::current());
  }
}

device::Kernel kernel(const char* name, int32_t shared_bytes) {
  return device::make_kernel(name, touch, 32, shared_bytes);
}

// Operands that overlap nowhere: each lies in the middle of memory of its own.
struct Case {
  fovea_plan plan = {};
  fovea_call call = {};
  attention::ForwardOperands operands = {};
  std::vector<std::vector<float>> memory;
  std::string error;

  template <typename T>
  void place(T*& operand) {
    memory.emplace_back(4096);
    operand = reinterpret_cast<T*>(memory.back().data() + 2048);
  }
  Case() {
    memory.reserve(16);
    place(operands.query), place(operands.key), place(operands.value), place(operands.bias);
    place(operands.alibi_slopes), place(operands.sinks);
    place(operands.out), place(operands.lse), place(operands.weights);
    plan.operation = attention::kOperation.id;
    call.end = 1;
  }

  int32_t launch(const device::Kernel& kernel, void* stream = nullptr) {
    call.error[0] = 0;
    const int32_t status = device::launch(
        kernel, "", {attention::kOperation, plan, &operands, nullptr, nullptr, stream}, call);
    error = call.error;
    return status;
  }

  int32_t touch(const void* address, uint32_t bytes, bool writes) {
    touched = static_cast<const char*>(address);
    touched_bytes = bytes;
    touch_writes = writes;
    return launch(kernel("touch", 1024));
  }

  // Elements from `first` to `last` may be touched, their neighbours may not.
  void expect(const char* name, const void* operand, uint32_t bytes, int64_t first, int64_t last,
              bool writable) {
    const auto at = [&](int64_t element) {
      return static_cast<const char*>(operand) + element * bytes;
    };
    for (const int64_t element : {first, last}) {
      CHECK_EQUAL(touch(at(element), bytes, false), FOVEA_OK);
      CHECK_EQUAL(touch(at(element), bytes, true), writable ? FOVEA_OK : FOVEA_DEVICE_ERROR);
      if (!writable) CHECK(contains(error, std::string("to ") + name + ", which is only read"));
    }
    for (const int64_t element : {first - 1, last + 1}) {
      CHECK_EQUAL(touch(at(element), bytes, false), FOVEA_DEVICE_ERROR);
      CHECK(contains(error, "touch, block 0, thread 7, "));
      CHECK(contains(error, std::string("of ") + name + ", the nearest operand"));
    }
  }
};

void set(int64_t* to, std::initializer_list<int64_t> strides) {
  std::copy(strides.begin(), strides.end(), to);
}

Case padded() {
  Case c;
  attention::Spec& spec = attention::spec_of(c.plan);
  spec.dtype = FOVEA_FLOAT16;
  spec.out_dtype = FOVEA_FLOAT32;
  spec.bias_dtype = FOVEA_BFLOAT16;
  spec.batch = 2, spec.query_length = 3, spec.key_length = 5;
  spec.query_heads = 4, spec.key_heads = 2, spec.head_dim = 8, spec.value_head_dim = 6;
  set(spec.query_stride, {96, 32, 8});
  set(spec.key_stride, {-100, 20, -9});
  set(spec.value_stride, {0, 12, 6});
  set(spec.out_stride, {-72, -24, -6});
  set(spec.lse_stride, {12, 3});
  set(spec.bias_stride, {0, 15, 5});
  set(spec.weights_stride, {60, 15, 5});
  set(spec.alibi_slopes_stride, {0, 2});
  return c;
}

TEST(reach_of_padded_operands) {
  Case c = padded();
  c.expect("query", c.operands.query, 2, 0, 96 + 2 * 32 + 3 * 8 + 7, false);
  c.expect("key", c.operands.key, 2, -100 - 9, 4 * 20 + 7, false);
  c.expect("value", c.operands.value, 2, 0, 4 * 12 + 6 + 5, false);
  c.expect("out", c.operands.out, 4, -72 - 2 * 24 - 3 * 6, 5, true);
  c.expect("lse", c.operands.lse, 4, 0, 12 + 3 * 3 + 2, true);
  c.expect("bias", c.operands.bias, 2, 0, 3 * 15 + 2 * 5 + 4, false);
  c.expect("weights", c.operands.weights, 4, 0, 60 + 3 * 15 + 2 * 5 + 4, true);
  c.expect("alibi_slopes", c.operands.alibi_slopes, 4, 0, 6, false);
  c.expect("sinks", c.operands.sinks, 4, 0, 3, false);
  c.place(c.operands.query_lengths), c.place(c.operands.key_lengths);
  c.expect("query_lengths", c.operands.query_lengths, 4, 0, 1, false);
  c.expect("key_lengths", c.operands.key_lengths, 4, 0, 1, false);
}

TEST(reach_of_packed_operands) {
  Case c = padded();
  attention::Spec& spec = attention::spec_of(c.plan);
  spec.packed = 1;
  spec.query_total = 7, spec.key_total = 9;
  c.place(c.operands.cu_seqlens_q), c.place(c.operands.cu_seqlens_k);
  set(spec.lse_stride, {0, 7});
  c.expect("query", c.operands.query, 2, 0, 6 * 32 + 3 * 8 + 7, false);
  c.expect("key", c.operands.key, 2, -9, 8 * 20 + 7, false);
  c.expect("out", c.operands.out, 4, -6 * 24 - 3 * 6, 5, true);
  c.expect("lse", c.operands.lse, 4, 0, 3 * 7 + 6, true);
  c.expect("bias", c.operands.bias, 2, 0, 3 * 15 + 6 * 5 + 4, false);
  c.expect("weights", c.operands.weights, 4, 0, 3 * 15 + 6 * 5 + 4, true);
  c.expect("cu_seqlens_q", c.operands.cu_seqlens_q, 4, 0, 2, false);
  c.expect("cu_seqlens_k", c.operands.cu_seqlens_k, 4, 0, 2, false);
}

TEST(absent_and_empty_operands_cannot_be_touched) {
  Case c = padded();
  const void* const bias = c.operands.bias;
  c.operands.bias = nullptr;
  CHECK_EQUAL(c.touch(bias, 2, false), FOVEA_DEVICE_ERROR);
  attention::spec_of(c.plan).key_length = 0;
  CHECK_EQUAL(c.touch(c.operands.key, 2, false), FOVEA_DEVICE_ERROR);
  CHECK_EQUAL(c.touch(c.operands.weights, 4, true), FOVEA_DEVICE_ERROR);
  CHECK_EQUAL(c.touch(c.operands.lse, 4, true), FOVEA_OK);
}

TEST(shared_memory_limit) {
  char error[FOVEA_ERROR_LENGTH] = {};
  CHECK_EQUAL(device::prepare(kernel("large", 232448), error), FOVEA_OK);
  CHECK_EQUAL(device::prepare(kernel("large", 232449), error), FOVEA_DEVICE_ERROR);
  CHECK(contains(error, "large needs 232449 bytes of shared memory"));
  Case c = padded();
  CHECK_EQUAL(c.launch(kernel("large", 1 << 20)), FOVEA_DEVICE_ERROR);
}

// The status of a launch with that value of an environment variable.
int32_t launch_with(Case& c, const char* variable, const char* value) {
  setenv(variable, value, 1);
  const int32_t status = c.touch(c.operands.query, 2, false);
  unsetenv(variable);
  return status;
}

TEST(schedule_from_the_environment) {
  Case c = padded();
  const auto with = [&](const char* value) { return launch_with(c, "FOVEA_SIM_SCHEDULE", value); };
  for (const char* value : {"eager", "lazy", "random", "random:0", "random:18446744073709551615"}) {
    CHECK_EQUAL(with(value), FOVEA_OK);
  }
  for (const char* value : {"", "Eager", "random:", "random:x", "random:1x", "random:-1",
                            "random:18446744073709551616", "lazy "}) {
    CHECK_EQUAL(with(value), FOVEA_DEVICE_ERROR);
    CHECK(
        contains(c.error, "FOVEA_SIM_SCHEDULE is \"" + std::string(value) + "\", expected eager"));
  }
}

TEST(arithmetic_from_the_environment) {
  Case c = padded();
  const auto with = [&](const char* value) {
    return launch_with(c, "FOVEA_SIM_ARITHMETIC", value);
  };
  for (const char* value : {"nearest", "hardware", "hardware:0", "hardware:7"}) {
    CHECK_EQUAL(with(value), FOVEA_OK);
  }
  for (const char* value : {"", "exact", "hardware:", "hardware:x", "hardware7", "nearest:1"}) {
    CHECK_EQUAL(with(value), FOVEA_DEVICE_ERROR);
    CHECK(contains(c.error, "FOVEA_SIM_ARITHMETIC is \"" + std::string(value) + "\", expected"));
  }
}

// 2048 and sixteen times 2^-14, which only Hopper sees; a logarithm that errs.
float sum = 0, logarithm = 0;

void add(char) {
  uint32_t a[4], b[2];
  std::fill_n(a, 4, 0x04000400u);
  std::fill_n(b, 2, 0x3c003c00u);
  float c[1][1][4] = {{{2048, 2048, 2048, 2048}}};
  tile::mma<float16>(c, 0, a, b);
  sum = c[0][0][0];
  logarithm = tile::log2_approx(3);
}

TEST(arithmetic_is_that_of_the_device) {
  Case c = padded();
  const auto add_on = [&](size_t index) {
    return c.launch(device::make_kernel("add", add, 32, 1024), reinterpret_cast<void*>(index));
  };
  for (const size_t index : {0, 1, 2, 3}) {
    CHECK_EQUAL(add_on(index), FOVEA_OK);
    CHECK_EQUAL(sum, index < 2 ? 2048.0f : 2048 + 0x1p-10f);
    CHECK(logarithm != float(std::log2(3.0)));
  }
  CHECK_EQUAL(add_on(4), FOVEA_DEVICE_ERROR);
  setenv("FOVEA_SIM_ARITHMETIC", "nearest", 1);
  CHECK_EQUAL(add_on(2), FOVEA_OK);
  unsetenv("FOVEA_SIM_ARITHMETIC");
  CHECK_EQUAL(logarithm, float(std::log2(3.0)));
}

}  // namespace
}  // namespace fovea::test
