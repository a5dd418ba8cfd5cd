#include "sim/reach.h"

#include <initializer_list>
#include <utility>

namespace fovea::sim {
namespace {

int64_t bytes_of(int32_t dtype) { return dtype == FOVEA_FLOAT32 ? 4 : 2; }

class Reach {
 public:
  struct Dimension {
    int64_t size, stride;
  };

  // Rows of `row` elements at every combination of indices; strides may be negative.
  void add(const char* name, const void* address, bool writable, int64_t element, int64_t row,
           std::initializer_list<Dimension> dimensions) {
    if (address == nullptr || row == 0) return;
    int64_t low = 0, high = row;
    for (const Dimension& dimension : dimensions) {
      if (dimension.stride == 0) continue;  // one place for all, or for the sum of none
      if (dimension.size == 0) return;
      const int64_t step = dimension.stride * (dimension.size - 1);
      (step < 0 ? low : high) += step;
    }
    extents.push_back({static_cast<const char*>(address) + low * element,
                       size_t((high - low) * element), writable, name});
  }

  std::vector<Extent> extents;
};

// Adds the operands of a spec under their names.
class Operands {
 public:
  explicit Operands(const Spec& given) : spec(given) {
    batch = spec.packed ? 1 : spec.batch;
    queries = spec.packed ? spec.query_total : spec.query_length;
    keys = spec.packed ? spec.key_total : spec.key_length;
  }

  void query_like(const char* name, const void* address, bool writable, int32_t dtype, int64_t row,
                  const int64_t (&stride)[3]) {
    all.add(name, address, writable, bytes_of(dtype), row,
            {{batch, stride[0]}, {queries, stride[1]}, {spec.query_heads, stride[2]}});
  }
  void key_like(const char* name, const void* address, bool writable, int32_t dtype, int64_t row,
                const int64_t (&stride)[3]) {
    all.add(name, address, writable, bytes_of(dtype), row,
            {{batch, stride[0]}, {keys, stride[1]}, {spec.key_heads, stride[2]}});
  }
  void scores(const char* name, const void* address, bool writable, int32_t dtype,
              const int64_t (&stride)[3]) {
    all.add(name, address, writable, bytes_of(dtype), spec.key_length,
            {{batch, stride[0]}, {spec.query_heads, stride[1]}, {queries, stride[2]}});
  }
  void heads(const char* name, const void* address, bool writable, const int64_t (&stride)[2]) {
    all.add(name, address, writable, 4, 1,
            {{spec.batch, stride[0]}, {spec.query_heads, stride[1]}});
  }
  void lse(const void* address, bool writable) {
    all.add("lse", address, writable, 4, queries,
            {{batch, spec.lse_stride[0]}, {spec.query_heads, spec.lse_stride[1]}});
  }
  void list(const char* name, const void* address, bool writable, int64_t count) {
    all.add(name, address, writable, 4, count, {});
  }

  void inputs(const attention::Inputs& inputs) {
    query_like("query", inputs.query, false, spec.dtype, spec.head_dim, spec.query_stride);
    key_like("key", inputs.key, false, spec.dtype, spec.head_dim, spec.key_stride);
    key_like("value", inputs.value, false, spec.dtype, spec.value_head_dim, spec.value_stride);
    scores("bias", inputs.bias, false, spec.bias_dtype, spec.bias_stride);
    heads("alibi_slopes", inputs.alibi_slopes, false, spec.alibi_slopes_stride);
    list("sinks", inputs.sinks, false, spec.query_heads);
    list("cu_seqlens_q", inputs.cu_seqlens_q, false, spec.batch + 1);
    list("cu_seqlens_k", inputs.cu_seqlens_k, false, spec.batch + 1);
    list("query_lengths", inputs.query_lengths, false, spec.batch);
    list("key_lengths", inputs.key_lengths, false, spec.batch);
  }

  const Spec& spec;
  int64_t batch, queries, keys;
  Reach all;
};

}  // namespace

std::vector<Extent> reach(const device::Run& run) {
  const Spec& spec = spec_of(run.plan);
  Operands o(spec);
  if (run.forward != nullptr) {
    const attention::ForwardOperands& operands = *run.forward;
    o.inputs(operands);
    o.query_like("out", operands.out, true, spec.out_dtype, spec.value_head_dim, spec.out_stride);
    o.scores("weights", operands.weights, true, FOVEA_FLOAT32, spec.weights_stride);
    o.lse(operands.lse, true);
  } else {
    const attention::BackwardOperands& operands = *run.backward;
    const Spec& g = spec_of(run.plan);
    o.inputs(operands);
    o.query_like("out", operands.out, false, spec.out_dtype, spec.value_head_dim, spec.out_stride);
    o.query_like("dout", operands.dout, false, spec.out_dtype, spec.value_head_dim, g.dout_stride);
    o.lse(operands.lse, false);
    o.query_like("dquery", operands.dquery, true, g.dtype, spec.head_dim, g.dquery_stride);
    o.key_like("dkey", operands.dkey, true, g.dtype, spec.head_dim, g.dkey_stride);
    o.key_like("dvalue", operands.dvalue, true, g.dtype, spec.value_head_dim, g.dvalue_stride);
    o.scores("dbias", operands.dbias, true, FOVEA_FLOAT32, g.dbias_stride);
    o.heads("dalibi_slopes", operands.dalibi_slopes, true, g.dalibi_stride);
    o.list("dsinks", operands.dsinks, true, spec.query_heads);
  }
  o.list("workspace", run.workspace, true, run.plan.workspace_bytes / 4);
  return std::move(o.all.extents);
}

}  // namespace fovea::sim
