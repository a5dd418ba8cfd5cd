// The functions of fovea.h: what every backend checks alike.

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "core/backend.h"
#include "core/block.h"

using namespace fovea;

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
uint64_t seal_of(const fovea_attention_plan& plan) {
  constexpr size_t kPairs = offsetof(fovea_attention_plan, error) / 16;
  static_assert(kPairs * 16 == offsetof(fovea_attention_plan, error) && kPairs % 4 == 3);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&plan);
  const auto step = [&](uint64_t& sum, size_t pair) {
    uint64_t words[2];
    std::memcpy(words, bytes + 16 * pair, 16);
    sum = mix(sum, words[0], words[1]);
  };
  uint64_t a = kRatio, b = 3 * kRatio, c = 5 * kRatio, d = 7 * kRatio;
  size_t pair = 0;
  for (; pair + 4 <= kPairs; pair += 4) {
    step(a, pair);
    step(b, pair + 1);
    step(c, pair + 2);
    step(d, pair + 3);
  }
  step(a, pair);
  step(b, pair + 1);
  step(c, pair + 2);
  return mix(mix(a, b, c), d, 0);
}

// Whether a plan function of this library, or of one like it, filled the plan.
bool is_ours(const fovea_attention_plan& plan) {
  return plan.abi_version == FOVEA_ABI_VERSION && plan.device_kind == backend::kDeviceKind &&
         plan.seal == seal_of(plan);
}

int32_t sealed(int32_t status, fovea_attention_plan& plan) {
  if (status == FOVEA_OK) plan.seal = seal_of(plan);
  return status;
}

int32_t unreadable(const char* block, char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "%s is NULL, has no size, or sets fields that this library does not know", block);
}

// Clears the plan and fills what follows from `spec` alone; `device` is answered in known_device.
int32_t begin_plan(const fovea_attention_spec* spec, const fovea_device_info* device,
                   fovea_device_info& known_device, fovea_attention_plan* plan) {
  if (plan == nullptr || plan->size != sizeof(fovea_attention_plan)) return FOVEA_INVALID_ARGUMENT;
  std::memset(plan, 0, sizeof *plan);
  plan->size = sizeof *plan;
  fovea_attention_spec known_spec;
  if (!read_block(spec, known_spec)) return unreadable("spec", plan->error);
  if (!read_block(device, known_device)) return unreadable("device", plan->error);
  if (known_device.kind != backend::kDeviceKind) {
    return fail(plan->error, FOVEA_UNSUPPORTED, "the %s backend cannot plan for device kind %d",
                backend::kName, known_device.kind);
  }
  plan->device_kind = backend::kDeviceKind;
  return attention::plan_spec(known_spec, *plan);
}

int32_t check_blocks(const fovea_attention_plan* plan, fovea_attention_call* call, bool backward) {
  if (call == nullptr || call->size != sizeof(fovea_attention_call)) return FOVEA_INVALID_ARGUMENT;
  if (plan == nullptr || plan->size != sizeof(fovea_attention_plan) || !is_ours(*plan)) {
    return fail(call->error, FOVEA_INVALID_ARGUMENT, "plan is not a plan of the %s backend, or was changed",
                backend::kName);
  }
  if (attention::is_backward(*plan) != backward) {
    return fail(call->error, FOVEA_INVALID_ARGUMENT, "plan is that of a %s pass",
                backward ? "forward" : "backward");
  }
  return FOVEA_OK;
}

int32_t check_memory(const fovea_attention_plan& plan, void* workspace, void* scratch,
                     fovea_attention_call& call) {
  const struct {
    const char* name;
    const void* address;
    int64_t bytes;
  } memory[] = {{"workspace", workspace, plan.workspace_bytes},
                {"scratch", scratch, plan.scratch_bytes}};
  for (const auto& block : memory) {
    if (block.bytes > 0 && block.address == nullptr) {
      return fail(call.error, FOVEA_INVALID_ARGUMENT,
                  "%s is NULL, but the plan needs %lld bytes of it", block.name,
                  (long long)block.bytes);
    }
    if (reinterpret_cast<uintptr_t>(block.address) % FOVEA_ALIGNMENT != 0) {
      return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s must be aligned to %d bytes", block.name,
                  FOVEA_ALIGNMENT);
    }
  }
  return FOVEA_OK;
}

}  // namespace

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

int32_t fovea_plan_attention(const fovea_attention_spec* spec, const fovea_device_info* device,
                             fovea_attention_plan* plan) {
  fovea_device_info known_device;
  if (int32_t status = begin_plan(spec, device, known_device, plan)) return status;
  return sealed(backend::plan(known_device, *plan), *plan);
}

int32_t fovea_plan_attention_backward(const fovea_attention_spec* spec,
                                      const fovea_attention_gradients* gradients,
                                      const fovea_device_info* device, fovea_attention_plan* plan) {
  fovea_device_info known_device;
  if (int32_t status = begin_plan(spec, device, known_device, plan)) return status;
  fovea_attention_gradients known_gradients;
  if (!read_block(gradients, known_gradients)) return unreadable("gradients", plan->error);
  if (int32_t status = attention::plan_gradients(known_gradients, *plan)) return status;
  return sealed(backend::plan_backward(known_device, *plan), *plan);
}

int32_t fovea_prepare_attention(fovea_attention_plan* plan) {
  if (plan == nullptr || plan->size != sizeof(fovea_attention_plan)) return FOVEA_INVALID_ARGUMENT;
  if (!is_ours(*plan)) {
    return fail(plan->error, FOVEA_INVALID_ARGUMENT, "this is not a plan of the %s backend, or was changed",
                backend::kName);
  }
  return backend::prepare(*plan);
}

int32_t fovea_run_attention(const fovea_attention_plan* plan, fovea_attention_call* call,
                            const void* query, const void* key, const void* value, const void* bias,
                            const float* alibi_slopes, const float* sinks,
                            const int32_t* cu_seqlens_q, const int32_t* cu_seqlens_k,
                            const int32_t* query_lengths, const int32_t* key_lengths, void* out,
                            float* lse, float* weights, void* workspace, void* scratch,
                            void* stream) {
  if (int32_t status = check_blocks(plan, call, false)) return status;
  const attention::ForwardOperands operands = {{query, key, value, bias, alibi_slopes, sinks, cu_seqlens_q,
                                       cu_seqlens_k, query_lengths, key_lengths},
                                      out,
                                      lse,
                                      weights};
  if (int32_t status = attention::check_forward_call(*plan, operands, *call)) return status;
  if (call->begin == call->end) return FOVEA_OK;
  if (int32_t status = check_memory(*plan, workspace, scratch, *call)) return status;
  return backend::run(*plan, operands, *call, workspace, scratch, stream);
}

int32_t fovea_run_attention_backward(const fovea_attention_plan* plan, fovea_attention_call* call,
                                     const void* dout, const void* query, const void* key,
                                     const void* value, const void* out, const float* lse,
                                     const void* bias, const float* alibi_slopes,
                                     const float* sinks, const int32_t* cu_seqlens_q,
                                     const int32_t* cu_seqlens_k, const int32_t* query_lengths,
                                     const int32_t* key_lengths, void* dquery, void* dkey,
                                     void* dvalue, float* dbias, float* dalibi_slopes,
                                     float* dsinks, void* workspace, void* scratch, void* stream) {
  if (int32_t status = check_blocks(plan, call, true)) return status;
  const attention::BackwardOperands operands = {{query, key, value, bias, alibi_slopes, sinks, cu_seqlens_q,
                                      cu_seqlens_k, query_lengths, key_lengths},
                                     dout,
                                     out,
                                     lse,
                                     dquery,
                                     dkey,
                                     dvalue,
                                     dbias,
                                     dalibi_slopes,
                                     dsinks};
  if (int32_t status = attention::check_backward_call(*plan, operands, *call)) return status;
  if (call->begin == call->end) return FOVEA_OK;
  if (int32_t status = check_memory(*plan, workspace, scratch, *call)) return status;
  return backend::run_backward(*plan, operands, *call, workspace, scratch, stream);
}
