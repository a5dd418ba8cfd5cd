// The items of the backward pass: which part of the batch each is, and the sums over whole heads.

#include "cpu/attention/passes.h"

#include <algorithm>
#include <cmath>

#include "core/constants.h"
#include "cpu/attention/kernels.h"

namespace fovea::attention::cpu {
namespace {

struct Range {
  int64_t begin, end;
};

Range one(int64_t index) { return {index, index + 1}; }

class Backward {
 public:
  Backward(const fovea_plan& plan, const BackwardOperands& operands,
           fovea_call& call, void* workspace, void* scratch)
      : plan_(plan),
        spec_(spec_of(plan)),
        operands_(operands),
        call_(call),
        kernel_(kernels_of(plan.isa).backward),
        group_(spec_.query_heads / spec_.key_heads),
        pieces_(plan),
        scratch_layout_(plan),
        workspace_layout_(plan),
        workspace_(static_cast<float*>(workspace)),
        run_{plan,
             call,
             operands,
             scratch_layout_,
             workspace_layout_,
             workspace_,
             static_cast<float*>(scratch)} {}

  int32_t run() {
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      if (int32_t status = run_item(item)) return status;
    }
    return FOVEA_OK;
  }

 private:
  int32_t run_item(int64_t item) {
    switch (call_.phase) {
      case kBiasPhase:
        return sum_bias(item);
      case kHeadPhase:
        return sum_heads(item);
      default:
        break;
    }
    const int64_t head = item % spec_.key_heads, number = item / spec_.key_heads;
    BackwardWork work;
    if (call_.phase == kKeyPhase) {
      if (int32_t status = locate(number % spec_.batch, head, work)) return status;
      work.keys = number / spec_.batch;
    } else {
      const RowTile tile = pieces_.row_tiles.find(number, operands_.cu_seqlens_q);
      if (int32_t status = locate(tile.sequence, head, work)) return status;
      // Padding has a dquery, and no more.
      const bool padded = call_.phase == kQueryPhase && !spec_.packed;
      const int64_t length = padded ? spec_.query_length : work.sequence.query_length;
      work.begin = tile.index * BackwardPieces::kRowTile;
      work.end = std::min(work.begin + BackwardPieces::kRowTile, length * group_);
    }
    kernel_(run_, work);
    return FOVEA_OK;
  }

  int32_t locate(int64_t batch, int64_t key_head, BackwardWork& work) {
    work = {};
    if (int32_t status = cpu::locate(spec_, operands_, batch, work.sequence, call_))
      return status;
    work.batch = batch;
    work.key_head = key_head;
    work.first_row = workspace_layout_.first_row(spec_, work.sequence, batch, key_head);
    work.chunks = key_chunks(work.sequence.key_length);
    return FOVEA_OK;
  }

  // ---- dbias ------------------------------------------------------------------------------------

  // A piece of dbias, from all that is summed into it in the order of the batch.
  int32_t sum_bias(int64_t item) {
    const int64_t tile = item % pieces_.bias_keys;
    item /= pieces_.bias_keys;
    Range queries = {0, spec_.query_length}, heads = {0, spec_.key_heads},
          batches = {0, spec_.batch};
    if (!pieces_.heads_summed) heads = one(item % pieces_.bias_heads);
    const RowTile piece =
        pieces_.bias_tiles.find(item / pieces_.bias_heads, operands_.cu_seqlens_q);
    if (!pieces_.queries_summed) {
      queries.begin = piece.index * pieces_.bias_queries;
      queries.end = std::min(queries.begin + pieces_.bias_queries, spec_.query_length);
    }
    if (!pieces_.batches_summed) batches = one(piece.sequence);

    if (int32_t status = clear_bias(batches, heads, queries, tile)) return status;
    if (spec_.query_length == 0) return FOVEA_OK;
    for (int64_t b = batches.begin; b < batches.end; ++b) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        BackwardWork work;
        if (int32_t status = locate(b, h, work)) return status;
        work.begin = queries.begin * group_;
        work.end = std::min(queries.end, work.sequence.query_length) * group_;
        work.keys = tile;
        kernel_(run_, work);
      }
    }
    return FOVEA_OK;
  }

  int32_t clear_bias(Range batches, Range key_heads, Range queries, int64_t tile) {
    const int64_t(&stride)[3] = spec_of(plan_).dbias_stride;
    Range heads = {key_heads.begin * group_, key_heads.end * group_};
    if (pieces_.heads_summed) heads = one(0);
    if (pieces_.batches_summed) batches = one(0);
    if (pieces_.queries_summed) {
      queries = one(0);
    } else if (spec_.packed) {
      BackwardWork work;
      if (int32_t status = locate(batches.begin, 0, work)) return status;
      queries.end = std::min(queries.end, work.sequence.query_length);
      queries.begin += work.sequence.query_start;
      queries.end += work.sequence.query_start;
    }
    const int64_t j = tile * plan_.tile_keys;
    const int64_t keys = std::min<int64_t>(plan_.tile_keys, spec_.key_length - j);
    float* const to = operands_.dbias + (spec_.packed ? 0 : batches.begin * stride[0]) + j;
    for (int64_t h = heads.begin; h < heads.end; ++h) {
      for (int64_t i = queries.begin; i < queries.end; ++i) {
        std::fill_n(to + h * stride[1] + i * stride[2], keys, 0.0f);
      }
    }
    return FOVEA_OK;
  }

  // ---- dsinks and dalibi_slopes -----------------------------------------------------------------

  int32_t sum_heads(int64_t item) {
    const Spec& gradients = spec_of(plan_);
    const Range heads = pieces_.heads == 1 ? Range{0, spec_.query_heads} : one(item);
    if (gradients.has_dsinks) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        if (int32_t status = sum_sink(h)) return status;
      }
    }
    if (!gradients.has_dalibi_slopes) return FOVEA_OK;
    if (gradients.dalibi_slopes_stride[0] == 0) return sum_slope({0, spec_.batch}, heads);
    for (int64_t b = 0; b < spec_.batch; ++b) {
      if (int32_t status = sum_slope(one(b), heads)) return status;
    }
    return FOVEA_OK;
  }

  int32_t sum_sink(int64_t head) {
    const float* lse = workspace_ + workspace_layout_.lse;
    const float* rest = workspace_ + workspace_layout_.rest;
    const float* delta = workspace_ + workspace_layout_.delta;
    const double sink = double(operands_.sinks[head]) / kLn2;
    double sum = 0;
    const auto add = [&](int64_t row, const BackwardWork&) {
      // At most 0: an lse that is infinite in units of log2 is the largest float instead.
      const double above = std::min(sink - double(lse[row]) - double(rest[row]), 0.0);
      sum -= std::exp2(above) * double(delta[row]);
    };
    const int32_t status = for_each_row({0, spec_.batch}, one(head), add);
    operands_.dsinks[head] = float(sum);
    return status;
  }

  // One element, from one head or from all that are summed over.
  int32_t sum_slope(Range batches, Range heads) {
    const int64_t(&stride)[2] = spec_of(plan_).dalibi_slopes_stride;
    const float* distances = workspace_ + workspace_layout_.distances;
    double sum = 0;
    const auto add = [&](int64_t row, const BackwardWork& work) {
      for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
        sum += double(distances[chunk * workspace_layout_.rows + row]);
      }
    };
    const int32_t status = for_each_row(batches, heads, add);
    operands_.dalibi_slopes[batches.begin * stride[0] + heads.begin * stride[1]] = float(sum);
    return status;
  }

  // Calls body(row in the workspace, work of its sequence).
  template <typename Body>
  int32_t for_each_row(Range batches, Range heads, Body body) {
    if (spec_.query_length == 0) return FOVEA_OK;
    for (int64_t b = batches.begin; b < batches.end; ++b) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        BackwardWork work;
        if (int32_t status = locate(b, h / group_, work)) return status;
        for (int64_t i = 0; i < work.sequence.query_length; ++i) {
          body(work.first_row + i * group_ + h % group_, work);
        }
      }
    }
    return FOVEA_OK;
  }

  const fovea_plan& plan_;
  const Spec& spec_;
  const BackwardOperands& operands_;
  fovea_call& call_;
  RunBackward* const kernel_;
  const int64_t group_;
  const BackwardPieces pieces_;
  const BackwardScratch scratch_layout_;
  const BackwardWorkspace workspace_layout_;
  float* const workspace_;
  const BackwardRun run_;
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  if (spec.batch > 0 && (spec.query_length > 0 || spec.key_length > 0)) {
    if (int32_t status = check_offsets(run.plan, operands, call)) return status;
  }
  return Backward(run.plan, operands, call, run.workspace, run.scratch).run();
}

}  // namespace fovea::attention::cpu
