#include "core/entry.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "core/backend.h"
#include "core/block.h"

namespace fovea {
namespace {

constexpr uint64_t kRatio = 0x9e3779b97f4a7c15;  // golden: no word of a plan is like its multiples

// Both halves of the product of two words and a sum: every bit of the words reaches every bit of it.
uint64_t mix(uint64_t sum, uint64_t word, uint64_t other) {
  const auto product = static_cast<unsigned __int128>(sum ^ word) * (other ^ kRatio);
  return uint64_t(product) ^ uint64_t(product >> 64);
}

// Runs trust a plan's numbers, and a plan travels as plain data. Four sums, which do not wait for each
// other, take 30 ns. (Sums without products, or with their low halves alone, cancelled each other's changes
// after some hundred thousand damaged plans of fuzz_blocks.)
uint64_t seal_of(const fovea_plan& plan) {
  constexpr size_t kSpec = offsetof(fovea_plan, spec);
  static_assert(kSpec % 64 == 0 && offsetof(fovea_plan, seal) % 64 == 0);
  // What a spec does not fill is zero.
  const size_t spec_bytes = std::min(size_t(read_size(plan.spec)), sizeof plan.spec);
  const size_t bytes = (kSpec + spec_bytes + 63) / 64 * 64;
  const auto* const words = reinterpret_cast<const unsigned char*>(&plan);
  uint64_t sums[4] = {kRatio, 3 * kRatio, 5 * kRatio, 7 * kRatio};
  for (size_t at = 0; at < bytes; at += 64) {
    for (int i = 0; i < 4; ++i) {
      uint64_t pair[2];
      std::memcpy(pair, words + at + 16 * i, 16);
      sums[i] = mix(sums[i], pair[0], pair[1]);
    }
  }
  return mix(mix(sums[0], sums[1], sums[2]), sums[3], 0);
}

// Whether a plan function of this library, or of one like it, filled the plan.
bool is_ours(const fovea_plan& plan) {
  return plan.abi_version == FOVEA_ABI_VERSION && plan.device_kind == backend::kDeviceKind &&
         plan.seal == seal_of(plan);
}

int32_t unreadable(const char* block, char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "%s is NULL, has no size, or sets fields that this library does not know", block);
}

int32_t not_ours(char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_INVALID_ARGUMENT, "plan is not a plan of the %s backend, or was changed",
              backend::kName);
}

// Which operands a run must be given, and which it may be.
void mark_operands(const Operation& operation, fovea_plan& plan) {
  uint64_t bit = 1;
  for (const Operand& operand : operation.operands[plan.pass]) {
    if (is_present(plan.spec, operand)) {
      plan.allowed |= bit;
      if (!shape_of(operation, plan.spec, operand).is_empty()) plan.needed |= bit;
    }
    bit <<= 1;
  }
}

int32_t check_operands(const Operation& operation, const fovea_plan& plan, Addresses operands,
                       fovea_call& call) {
  const List<Operand>& all = operation.operands[plan.pass];
  uint64_t given = 0;
  for (size_t i = 0; i < all.size(); ++i) given |= uint64_t{operands[i] != nullptr} << i;
  if (const uint64_t missing = plan.needed & ~given; missing != 0) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s is NULL, but the plan needs it",
                all[size_t(std::countr_zero(missing))].name);
  }
  if (const uint64_t excess = given & ~plan.allowed; excess != 0) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s is given, but the plan was made without it",
                all[size_t(std::countr_zero(excess))].name);
  }
  return FOVEA_OK;
}

int32_t check_items(const fovea_plan& plan, fovea_call& call) {
  if (call.phase < 0 || call.phase >= plan.phases) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "phase is %d, expected 0 to %d", call.phase,
                plan.phases - 1);
  }
  if (call.begin < 0 || call.begin > call.end || call.end > plan.items[call.phase]) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "items are [%lld, %lld), expected within [0, %lld)", (long long)call.begin,
                (long long)call.end, (long long)plan.items[call.phase]);
  }
  return FOVEA_OK;
}

int32_t check_memory(const char* name, const void* address, int64_t bytes, fovea_call& call) {
  if (bytes > 0 && address == nullptr) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "%s is NULL, but the plan needs %lld bytes of it", name, (long long)bytes);
  }
  if (reinterpret_cast<uintptr_t>(address) % FOVEA_ALIGNMENT != 0) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s must be aligned to %d bytes", name,
                FOVEA_ALIGNMENT);
  }
  return FOVEA_OK;
}

}  // namespace

int32_t plan_pass(const Operation& operation, const void* spec, const fovea_device_info* device,
                  fovea_plan* plan) {
  if (plan == nullptr || plan->size != sizeof *plan) return FOVEA_INVALID_ARGUMENT;
  std::memset(plan, 0, sizeof *plan);
  plan->size = sizeof *plan;
  fovea_device_info known_device;
  if (!read_block(spec, plan->spec, operation.spec_bytes)) return unreadable("spec", plan->error);
  if (!read_block(device, &known_device, sizeof known_device)) {
    return unreadable("device", plan->error);
  }
  if (known_device.kind != backend::kDeviceKind) {
    return fail(plan->error, FOVEA_UNSUPPORTED, "the %s backend cannot plan for device kind %d",
                backend::kName, known_device.kind);
  }
  plan->abi_version = FOVEA_ABI_VERSION;
  plan->operation = operation.id;
  plan->device_kind = backend::kDeviceKind;
  if (int32_t status = check_spec(operation, plan->spec, plan->error)) return status;
  plan->pass = read_word(plan->spec, offsetof(SpecHead, pass));
  clear_packed_strides(operation, plan->spec);
  set_default_types(plan->spec);
  if (int32_t status = operation.resolve(*plan)) return status;
  mark_operands(operation, *plan);
  const backend::Kernels* const kernels = backend::find(operation.id);
  if (kernels == nullptr) {
    return fail(plan->error, FOVEA_UNSUPPORTED, "the %s backend has no kernels of %s",
                backend::kName, operation.name);
  }
  if (int32_t status = kernels->plan[plan->pass](known_device, *plan)) return status;
  plan->seal = seal_of(*plan);
  return FOVEA_OK;
}

int32_t run_pass(const Operation& operation, int32_t pass, const fovea_plan* plan, fovea_call* call,
                 const void* operands, void* workspace, void* scratch, void* stream) {
  if (call == nullptr || call->size != sizeof *call) return FOVEA_INVALID_ARGUMENT;
  if (plan == nullptr || plan->size != sizeof *plan || !is_ours(*plan)) return not_ours(call->error);
  if (plan->operation != operation.id || plan->pass != pass) {
    return fail(call->error, FOVEA_INVALID_ARGUMENT, "plan is not that of a %s pass of %s",
                pass == FOVEA_FORWARD ? "forward" : "backward", operation.name);
  }
  if (int32_t status = check_items(*plan, *call)) return status;
  if (int32_t status = check_operands(operation, *plan, static_cast<Addresses>(operands), *call)) {
    return status;
  }
  if (call->begin == call->end) return FOVEA_OK;
  if (int32_t status = check_memory("workspace", workspace, plan->workspace_bytes, *call)) {
    return status;
  }
  if (int32_t status = check_memory("scratch", scratch, plan->scratch_bytes, *call)) return status;
  if (stream != nullptr && backend::kDeviceKind == FOVEA_DEVICE_CPU) {
    return fail(call->error, FOVEA_INVALID_ARGUMENT, "stream is not NULL: the CPU takes none");
  }
  const auto run = backend::find(operation.id)->run[pass];
  return run({operation, *plan, operands, workspace, scratch, stream}, *call);
}

}  // namespace fovea

using namespace fovea;

int32_t fovea_abi_version(void) { return FOVEA_ABI_VERSION; }

int32_t fovea_library_query(fovea_library_info* info) {
  fovea_library_info answer = {};
  answer.abi_version = FOVEA_ABI_VERSION;
  std::snprintf(answer.backend, sizeof answer.backend, "%s", backend::kName);
  std::snprintf(answer.version, sizeof answer.version, "%s", FOVEA_VERSION);
  backend::describe_build(answer.build);
  return write_block(answer, info) ? FOVEA_OK : FOVEA_INVALID_ARGUMENT;
}

int32_t fovea_device_query(int32_t index, fovea_device_info* device) {
  fovea_device_info answer = {};
  const int32_t status = backend::query(index, answer);
  return write_block(answer, device) ? status : FOVEA_INVALID_ARGUMENT;
}

int32_t fovea_prepare(fovea_plan* plan) {
  if (plan == nullptr || plan->size != sizeof *plan) return FOVEA_INVALID_ARGUMENT;
  const backend::Kernels* const kernels = is_ours(*plan) ? backend::find(plan->operation) : nullptr;
  return kernels == nullptr ? not_ours(plan->error) : kernels->prepare(*plan);
}

int32_t fovea_load_modifier(int64_t key, int32_t pass, int32_t variant, const void* image,
                            char error[FOVEA_ERROR_LENGTH]) {
  auto& text = *reinterpret_cast<char(*)[FOVEA_ERROR_LENGTH]>(error);
  if (pass != FOVEA_FORWARD && pass != FOVEA_BACKWARD) {
    return fail(text, FOVEA_INVALID_ARGUMENT, "pass is %d, expected FOVEA_FORWARD or FOVEA_BACKWARD", pass);
  }
  if (image == nullptr) return fail(text, FOVEA_INVALID_ARGUMENT, "image is null");
  return backend::load_modifier(key, pass, variant, image, text);
}
