// The items of the backward pass: which part of the batch each is, and the sums over whole heads.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/constants.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/passes.h"
#include "cpu/attention/position_sums.h"
#include "cpu/softmax/items.h"
#include "ops/attention/check_program.h"

namespace fovea::attention::cpu {
namespace {

struct Range {
  int64_t begin, end;
};

Range one(int64_t index) { return {index, index + 1}; }

class Backward : fovea::cpu::BackwardItems<Op> {
 public:
  Backward(const backend::Run& run, fovea_call& call)
      : BackwardItems(run, call, kernels_of(run.plan.isa).backward), pieces_(plan_),
        positions_(spec_, operands_, workspace_layout_, workspace_) {}

  int32_t run() {
    if (int32_t status = check_program(spec_, operands_, call_)) return status;
    return for_each_item([this](int64_t item) {
      switch (call_.phase) {
        case kBiasPhase:
          return sum_bias(item);
        case kHeadPhase:
          return sum_heads(item);
        case kPositionPhase:
          return sum_positions(item);
        default:
          return run_rows_or_keys(item);
      }
    });
  }

 private:
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
    const int64_t (&stride)[3] = spec_.dbias_stride;
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
    float* const to = operands_.dbias + batches.begin * stride[0] + j;
    for (int64_t h = heads.begin; h < heads.end; ++h) {
      for (int64_t i = queries.begin; i < queries.end; ++i) {
        std::fill_n(to + h * stride[1] + i * stride[2], keys, 0.0f);
      }
    }
    return FOVEA_OK;
  }

  // ---- dsinks, gradients of tables, dkey_gates, those of query biases and of row operands ---------

  int32_t sum_heads(int64_t item) {
    const Range heads = pieces_.heads == 1 ? Range{0, spec_.query_heads} : one(item);
    if (spec_.has_dsinks) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        if (int32_t status = sum_sink(h)) return status;
      }
    }
    if (spec_.has_drelative_table) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        float* const to = operands_.drelative_table + h * spec_.drelative_table_stride[0];
        const int32_t status =
            sum_table(one(h), spec_.relative_count, to, spec_.drelative_table_stride[1],
                      [this](auto... at) { return workspace_layout_.table_row(at...); });
        if (status != FOVEA_OK) return status;
      }
    }
    if (spec_.has_dmodifier_table) {
      const int64_t(&stride)[2] = spec_.dmodifier_table_stride;
      for (int64_t h = heads.begin; h < (stride[0] == 0 ? heads.begin + 1 : heads.end); ++h) {
        const int32_t status =
            sum_table(stride[0] == 0 ? heads : one(h), spec_.modifier_columns,
                      operands_.dmodifier_table + h * stride[0], stride[1],
                      [this](auto... at) { return workspace_layout_.modifier_row(at...); });
        if (status != FOVEA_OK) return status;
      }
    }
    if (spec_.has_dkey_gates) {
      if (int32_t status = sum_key_gates(heads)) return status;
    }
    for (int64_t h = heads.begin; h < heads.end; ++h) {
      if (int32_t status = sum_query_biases(h)) return status;
    }
    const auto gradients = row_gradients(spec_, operands_);
    for (int s = 0; s < kRowOperands; ++s) {
      if (!gradients[s].wanted) continue;
      if (int32_t status = sum_rows(gradients[s], workspace_layout_.row_sums[s], heads)) {
        return status;
      }
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
    const int32_t status = for_each_row({0, spec_.batch}, one(head), {0, spec_.query_length}, add);
    operands_.dsinks[head] = float(sum);
    return status;
  }

  // A row of a table's gradient from those that heads, sequences and chunks have.
  template <typename RowOf>
  int32_t sum_table(Range heads, int64_t columns, float* to, int64_t stride, RowOf row_of) {
    for (int64_t n = 0; n < columns; ++n) {
      double sum = 0;
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        for (int64_t b = 0; b < spec_.batch; ++b) {
          BackwardWork work;
          if (int32_t status = locate(b, h / group_, work)) return status;
          for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
            sum += row_of(workspace_, spec_, chunk, b, h)[n];
          }
        }
      }
      to[n * stride] = float(sum);
    }
    return FOVEA_OK;
  }

  int32_t sum_query_biases(int64_t head) {
    if (!spec_.has_dcontent_bias && !spec_.has_dposition_bias) return FOVEA_OK;
    double content[kMostHeadDim] = {}, position[kMostHeadDim] = {};
    for (int64_t b = 0; b < spec_.batch; ++b) {
      BackwardWork work;
      if (int32_t status = locate(b, head / group_, work)) return status;
      if (spec_.has_dcontent_bias) positions_.add_content(work, head, content);
      if (spec_.has_dposition_bias) positions_.add_distances(work, head, position);
    }
    const auto write = [&](float* to, const double* sum) {
      for (int64_t d = 0; d < spec_.head_dim; ++d) to[d] = float(sum[d] * double(spec_.scale));
    };
    if (spec_.has_dcontent_bias) {
      write(operands_.dcontent_bias + head * spec_.dcontent_bias_stride[0], content);
    }
    if (spec_.has_dposition_bias) {
      write(operands_.dposition_bias + head * spec_.dposition_bias_stride[0], position);
    }
    return FOVEA_OK;
  }

  // The gates of these heads' keys, each from all that is summed into it.
  int32_t sum_key_gates(Range heads) {
    const int64_t(&stride)[2] = spec_.dkey_gates_stride;
    // Packed sequences have keys of their own.
    const bool all_batches = !spec_.packed && stride[0] == 0, all_heads = stride[1] == 0;
    const Range pieces = all_heads ? one(heads.begin) : heads;
    for (int64_t b = 0; b < (all_batches ? 1 : spec_.batch); ++b) {
      int64_t start = 0, keys = spec_.key_length;
      if (spec_.packed) {
        BackwardWork work;
        if (int32_t status = locate(b, 0, work)) return status;
        start = work.sequence.key_start;
        keys = work.sequence.key_rows;
      }
      for (int64_t h = pieces.begin; h < pieces.end; ++h) {
        float* const to = operands_.dkey_gates + b * stride[0] + h * stride[1] + start;
        std::fill_n(to, keys, 0.0f);
        const int32_t status = add_key_gates(all_batches ? Range{0, spec_.batch} : one(b),
                                             all_heads ? heads : one(h), to);
        if (status != FOVEA_OK) return status;
      }
    }
    return FOVEA_OK;
  }

  // Adds sigmoid'(g) times what was gathered.
  int32_t add_key_gates(Range batches, Range heads, float* sums) {
    const int64_t(&stride)[2] = spec_.key_gates_stride;
    for (int64_t b = batches.begin; b < batches.end; ++b) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        BackwardWork work;
        if (int32_t status = locate(b, h / group_, work)) return status;
        const float* const gates =
            operands_.key_gates + b * stride[0] + h * stride[1] + work.sequence.key_start;
        const float* const gathered =
            workspace_ +
            workspace_layout_.keys_of(workspace_layout_.gates, spec_, work.sequence, b, h);
        for (int64_t j = 0; j < work.sequence.key_length; ++j) {
          const double power = std::exp2(-std::abs(double(gates[j])) * std::numbers::log2e);
          sums[j] += float(double(gathered[j]) * power / ((1 + power) * (1 + power)));
        }
      }
    }
    return FOVEA_OK;
  }

  // The elements of these heads, each from all rows that are summed into it.
  int32_t sum_rows(const RowGradient& gradient, int64_t sums, Range heads) {
    const bool all_queries = gradient.all_queries(), all_batches = gradient.all_batches(spec_);
    const Range pieces = gradient.all_heads() ? one(heads.begin) : heads;
    for (int64_t b = 0; b < (all_batches ? 1 : spec_.batch); ++b) {
      int64_t start = 0, elements = all_queries ? 1 : spec_.query_length;
      if (spec_.packed && !all_queries) {
        BackwardWork work;
        if (int32_t status = locate(b, 0, work)) return status;
        start = work.sequence.query_start;
        elements = work.sequence.query_length;
      }
      const Range batches = all_batches ? Range{0, spec_.batch} : one(b);
      for (int64_t h = pieces.begin; h < pieces.end; ++h) {
        for (int64_t i = 0; i < elements; ++i) {
          const Range queries = all_queries ? Range{0, spec_.query_length} : one(i);
          double sum;
          if (int32_t status = sum_element(sums, batches, gradient.all_heads() ? heads : one(h),
                                           queries, sum)) {
            return status;
          }
          const int64_t(&stride)[3] = gradient.stride;
          gradient.to[b * stride[0] + h * stride[1] + (start + i) * stride[2]] = float(sum);
        }
      }
    }
    return FOVEA_OK;
  }

  // ---- dposition_keys ---------------------------------------------------------------------------

  int32_t sum_positions(int64_t item) {
    const int64_t head = item % pieces_.position_heads;
    const Range heads = pieces_.position_heads == 1 ? Range{0, spec_.query_heads} : one(head);
    const int64_t begin = item / pieces_.position_heads * BackwardPieces::kDistances;
    const int64_t end = std::min(begin + BackwardPieces::kDistances, spec_.position_count);
    for (int64_t row = begin; row < end; ++row) {
      double sum[kMostHeadDim] = {};
      for (int64_t b = 0; b < spec_.batch; ++b) {
        for (int64_t h = heads.begin; h < heads.end; ++h) {
          BackwardWork work;
          if (int32_t status = locate(b, h / group_, work)) return status;
          positions_.add_key(work, h, row - spec_.position_origin, sum);
        }
      }
      positions_.write_key(row, head, sum);
    }
    return FOVEA_OK;
  }

  // ---- sums of rows -----------------------------------------------------------------------------

  int32_t sum_element(int64_t sums, Range batches, Range heads, Range queries, double& sum) {
    sum = 0;
    return for_each_row(batches, heads, queries, [&](int64_t row, const BackwardWork& work) {
      for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
        sum += double(workspace_[sums + chunk * workspace_layout_.rows + row]);
      }
    });
  }

  // Calls body(row in the workspace, work of its sequence).
  template <typename Body>
  int32_t for_each_row(Range batches, Range heads, Range queries, Body body) {
    if (spec_.query_length == 0) return FOVEA_OK;
    for (int64_t b = batches.begin; b < batches.end; ++b) {
      for (int64_t h = heads.begin; h < heads.end; ++h) {
        BackwardWork work;
        if (int32_t status = locate(b, h / group_, work)) return status;
        const int64_t end = std::min(queries.end, work.sequence.query_length);
        for (int64_t i = queries.begin; i < end; ++i) {
          body(work.first_row + i * group_ + h % group_, work);
        }
      }
    }
    return FOVEA_OK;
  }

  // As the declaration says.
  static constexpr int64_t kMostHeadDim =
      std::ranges::find(kSizes, offsetof(Spec, head_dim), &Size::offset)->high;

  const BackwardPieces pieces_;
  const PositionSums positions_;
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return Backward(run, call).run();
}

}  // namespace fovea::attention::cpu
