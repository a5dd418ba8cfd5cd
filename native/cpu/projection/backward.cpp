// The items of the backward pass: which part of dx or of dweight each is.

#include "cpu/projection/kernels.h"
#include "cpu/projection/passes.h"
#include "cpu/softmax/sequences.h"

namespace fovea::projection::cpu {
namespace {

class Backward {
 public:
  Backward(const backend::Run& run, fovea_call& call)
      : plan_(run.plan),
        spec_(spec_of(run.plan)),
        operands_(*static_cast<const BackwardOperands*>(run.operands)),
        call_(call),
        tiles_((spec_.length + plan_.tile_keys - 1) / plan_.tile_keys),
        layout_(plan_),
        run_{plan_, operands_, layout_, static_cast<float*>(run.scratch)} {}

  int32_t run() {
    if (call_.phase == kWeightPhase) {
      int64_t length;
      for (int64_t b = 0; b < spec_.batch; ++b) {
        if (int32_t status = find_length(b, length)) return status;
      }
    }
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      BackwardWork work = {};
      work.position = item % tiles_ * plan_.tile_keys;
      work.positions = std::min<int64_t>(plan_.tile_keys, spec_.length - work.position);
      if (call_.phase == kInputPhase) {
        work.batch = item / tiles_ / spec_.heads;
        work.head = item / tiles_ % spec_.heads;
        if (int32_t status = find_length(work.batch, work.length)) return status;
      } else {
        set_rows(item / tiles_, work);
      }
      kernels_of(plan_.isa).backward(run_, call_.phase, work);
    }
    return FOVEA_OK;
  }

 private:
  // Of a tile of dweight.
  void set_rows(int64_t tile, BackwardWork& work) const {
    const int64_t tiles = (spec_.rank + plan_.tile_queries - 1) / plan_.tile_queries;
    work.row = tile % tiles * plan_.tile_queries;
    work.rows = std::min<int64_t>(plan_.tile_queries, spec_.rank - work.row);
    work.head = tile / tiles;
    work.last = weights_of(spec_) == 1 ? spec_.heads : work.head + 1;
  }

  int32_t find_length(int64_t batch, int64_t& length) {
    return fovea::cpu::find_length("lengths", operands_.lengths, batch, spec_.length, length,
                                   call_);
  }

  const fovea_plan& plan_;
  const Spec& spec_;
  const BackwardOperands& operands_;
  fovea_call& call_;
  const int64_t tiles_;
  const BackwardScratch layout_;
  const BackwardRun run_;
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return Backward(run, call).run();
}

}  // namespace fovea::projection::cpu
