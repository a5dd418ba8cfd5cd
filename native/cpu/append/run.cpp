// The items of an append, and what a run refuses before any of them writes.

#include "core/block.h"
#include "cpu/append/kernels.h"
#include "cpu/append/tiles.h"
#include "cpu/softmax/sequences.h"

namespace fovea::append::cpu {
namespace {

int32_t check_rows(const Spec& spec, const ForwardOperands& operands, int64_t batch, fovea_call& call) {
  int64_t origin, rows;
  return spec.packed ? fovea::cpu::locate_packed("cu_seqlens", operands.cu_seqlens, batch, spec.length,
                                                 spec.new_total, origin, rows, call)
                     : fovea::cpu::find_length("lengths", operands.lengths, batch, spec.length, rows, call);
}

int32_t check_start(const Spec& spec, const Sequence& sequence, int64_t batch, fovea_call& call) {
  const int64_t most = spec.cache_length - sequence.rows;
  if (sequence.start >= 0 && sequence.start <= most) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT,
              "starts[%lld] is %lld, expected 0 to %lld: %lld rows are new, and cache_length is %lld",
              (long long)batch, (long long)sequence.start, (long long)most, (long long)sequence.rows,
              (long long)spec.cache_length);
}

int32_t check_pages(const Spec& spec, const ForwardOperands& operands, const Sequence& sequence, int64_t batch,
                    fovea_call& call) {
  if (!spec.has_block_table) return FOVEA_OK;
  const int32_t* const pages = operands.block_table + batch * spec.block_table_stride[0];
  const int64_t end = sequence.start + sequence.rows;
  for (int64_t i = sequence.start / spec.page_size; i * spec.page_size < end; ++i) {
    if (pages[i] >= 0 && pages[i] < spec.page_count) continue;
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "block_table[%lld, %lld] is %d, expected 0 to %lld",
                (long long)batch, (long long)i, pages[i], (long long)spec.page_count - 1);
  }
  return FOVEA_OK;
}

int32_t check_positions(const Spec& spec, const ForwardOperands& operands, const Sequence& sequence,
                        int64_t batch, fovea_call& call) {
  if (!spec.has_cosines) return FOVEA_OK;
  if (!spec.has_positions) {
    const int64_t end = sequence.start + sequence.rows;
    if (end <= spec.position_count) return FOVEA_OK;
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "position_count is %lld, expected %lld or more: rows of sequence %lld are at positions up to %lld",
                (long long)spec.position_count, (long long)end, (long long)batch, (long long)end - 1);
  }
  for (int64_t row = 0; row < sequence.rows; ++row) {
    const int64_t position = position_of(spec, operands, batch, sequence, row);
    if (position >= 0 && position < spec.position_count) continue;
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "positions[%lld, %lld] is %lld, expected 0 to %lld",
                (long long)(spec.packed ? 0 : batch), (long long)(sequence.origin + row), (long long)position,
                (long long)spec.position_count - 1);
  }
  return FOVEA_OK;
}

int32_t check_all(const Spec& spec, const ForwardOperands& operands, fovea_call& call) {
  if (spec.packed) {
    if (int32_t status = fovea::cpu::check_ends("cu_seqlens", operands.cu_seqlens, spec.batch, spec.new_total,
                                                call)) {
      return status;
    }
  }
  for (int64_t batch = 0; batch < spec.batch; ++batch) {
    if (int32_t status = check_rows(spec, operands, batch, call)) return status;
    const Sequence sequence = sequence_of(spec, operands, batch);
    if (int32_t status = check_start(spec, sequence, batch, call)) return status;
    if (sequence.rows == 0) continue;
    if (int32_t status = check_pages(spec, operands, sequence, batch, call)) return status;
    if (int32_t status = check_positions(spec, operands, sequence, batch, call)) return status;
  }
  return FOVEA_OK;
}

}  // namespace

int32_t run_append(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  if (call.phase == kCheckPhase) return check_all(spec, operands, call);
  StoreTile* const store = store_of(run.plan.isa);
  for (int64_t item = call.begin; item < call.end; ++item) {
    const Tile tile = tile_of(run.plan, operands, item);
    if (tile.first < tile.end) store(spec, operands, tile, static_cast<float*>(run.scratch));
  }
  return FOVEA_OK;
}

}  // namespace fovea::append::cpu
