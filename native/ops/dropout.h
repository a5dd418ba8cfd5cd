// The dropout of a spec, of any that has one.
#pragma once

#include "core/block.h"
#include "core/philox.h"

namespace fovea {

template <typename Spec>
int32_t check_dropout(const Spec& spec, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (spec.dropout >= 0 && spec.dropout < 1 && dropout_threshold(spec.dropout) <= 65535) {
    return FOVEA_OK;
  }
  return fail(error, FOVEA_INVALID_ARGUMENT, "dropout is %g, expected 0 to 65535/65536",
              double(spec.dropout));
}

}  // namespace fovea
