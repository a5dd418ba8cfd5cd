#include "cpu/softmax/sequences.h"

#include "core/block.h"

namespace fovea::cpu {

int32_t check_ends(const char* name, const int32_t* cu, int64_t batch, int64_t total,
                   fovea_call& call) {
  if (cu[0] == 0 && cu[batch] == total) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s goes from %d to %d, expected from 0 to %lld",
              name, cu[0], cu[batch], (long long)total);
}

int32_t locate_packed(const char* name, const int32_t* cu, int64_t batch, int64_t longest,
                      int64_t total, int64_t& start, int64_t& length, fovea_call& call) {
  start = cu[batch];
  length = int64_t{cu[batch + 1]} - start;
  if (start < 0 || length < 0 || start + length > total || length > longest) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "%s[%lld] is %d and %s[%lld] is %d, expected rising by at most %lld within "
                "[0, %lld]",
                name, (long long)batch, cu[batch], name, (long long)batch + 1, cu[batch + 1],
                (long long)longest, (long long)total);
  }
  return FOVEA_OK;
}

int32_t find_length(const char* name, const int32_t* lengths, int64_t batch, int64_t longest,
                    int64_t& length, fovea_call& call) {
  length = lengths == nullptr ? longest : lengths[batch];
  if (length < 0 || length > longest) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s[%lld] is %lld, expected 0 to %lld", name,
                (long long)batch, (long long)length, (long long)longest);
  }
  return FOVEA_OK;
}

int32_t Sequences::check_offsets(const fovea_plan& plan, fovea_call& call) const {
  if (!packed) return FOVEA_OK;
  if (int32_t status = check_ends("cu_seqlens_q", cu_seqlens_q, batch, query_total, call)) {
    return status;
  }
  if (keys_packed) {
    if (int32_t status = check_ends("cu_seqlens_k", cu_seqlens_k, batch, key_total, call)) {
      return status;
    }
  }
  const int64_t items = plan.items[call.phase];
  const auto share = [&](int64_t item) { return int64_t(__int128{batch} * item / items); };
  for (int64_t b = share(call.begin); b < share(call.end); ++b) {
    Sequence sequence;
    if (int32_t status = locate(b, sequence, call)) return status;
  }
  return FOVEA_OK;
}

int32_t Sequences::locate(int64_t number, Sequence& sequence, fovea_call& call) const {
  sequence = {};
  if (packed) {
    if (int32_t status =
            locate_packed("cu_seqlens_q", cu_seqlens_q, number, query_length, query_total,
                          sequence.query_start, sequence.query_length, call)) {
      return status;
    }
  } else {
    if (int32_t status = find_length("query_lengths", query_lengths, number, query_length,
                                     sequence.query_length, call)) {
      return status;
    }
  }
  sequence.key_rows = key_length;
  if (keys_packed) {
    if (int32_t status = locate_packed("cu_seqlens_k", cu_seqlens_k, number, key_length, key_total,
                                       sequence.key_start, sequence.key_rows, call)) {
      return status;
    }
  }
  return find_length("key_lengths", key_lengths, number, sequence.key_rows, sequence.key_length,
                     call);
}

}  // namespace fovea::cpu
