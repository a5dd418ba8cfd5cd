#include "ops/activation/activation.h"

namespace fovea::activation {

Needs::Needs(const Spec& spec) {
  const bool backward = spec.pass == FOVEA_BACKWARD;
  slope = backward && (spec.has_dx || spec.has_dbias);
  value = !backward || spec.has_dgate;
  x = value || (slope && spec.function != FOVEA_ACTIVATION_IDENTITY);
  bias = x && spec.has_bias;
  gate = spec.has_gate && (!backward || slope);
  residual = spec.has_residual && !backward;
  copies = backward && spec.has_dresidual;
  draws = spec.dropout > 0 && (value || slope);
}

Grid grid_of(const Spec& spec) {
  const Needs needs(spec);
  const bool backward = spec.pass == FOVEA_BACKWARD;
  const auto ends = [&](bool there, const int64_t (&stride)[2]) {
    return !there || ((spec.length <= 1 || stride[1] == spec.width) &&
                      (spec.batch <= 1 || stride[0] == spec.length * spec.width));
  };
  const bool inputs = ends(needs.x, spec.x_stride) && ends(needs.gate, spec.gate_stride) &&
                      ends(needs.residual, spec.residual_stride);
  const bool others =
      backward ? ends(true, spec.dout_stride) && ends(spec.has_dx, spec.dx_stride) &&
                     ends(spec.has_dgate, spec.dgate_stride) &&
                     ends(spec.has_dresidual, spec.dresidual_stride)
               : ends(true, spec.out_stride);
  const bool columns = needs.bias || needs.draws || (backward && spec.has_dbias);
  if (!inputs || !others || columns) return {spec.batch, spec.length, spec.width, false};
  return {1, 1, spec.batch * spec.length * spec.width, true};
}

}  // namespace fovea::activation
