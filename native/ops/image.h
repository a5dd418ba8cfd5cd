// What operations over images have alike in their specs. For any spec with these fields.
#pragma once

#include "core/block.h"

namespace fovea {

// Checks that elements can be counted, sets defaults, and answers how many elements x has.
template <typename Spec>
int32_t resolve_images(Spec& spec, double& elements, char (&error)[FOVEA_ERROR_LENGTH]) {
  // A map of all pixels has room for counts of bytes, whatever strides make of x.
  if (__int128{spec.batch} * spec.height * spec.width > (__int128{1} << 40)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "batch %lld times height %lld times width %lld is too large, expected up to 2^40",
                (long long)spec.batch, (long long)spec.height, (long long)spec.width);
  }
  elements = double(spec.batch) * double(spec.channels) * double(spec.height) * double(spec.width);
  return FOVEA_OK;
}

}  // namespace fovea
