#pragma once

#include <algorithm>

#include "core/block.h"
#include "ops/attention/attention.h"

namespace fovea::attention {

// The pages of a sequence that hold keys which any of its queries sees are pages of the cache. Others are not
// read: those before a window may be gone.
template <typename Sequence>
int32_t check_pages(const Spec& spec, const int32_t* block_table, int64_t batch,
                    const Sequence& sequence, fovea_call& call) {
  if (!spec.has_block_table || sequence.query_length == 0) return FOVEA_OK;
  const int64_t first =
      spec.alignment == FOVEA_TOP_LEFT ? 0 : sequence.key_length - sequence.query_length;
  const int64_t low = spec.has_window_left ? std::max<int64_t>(0, first - spec.window_left) : 0;
  const int32_t* const pages = block_table + batch * spec.block_table_stride[0];
  for (int64_t i = low / spec.page_size; i * spec.page_size < sequence.key_length; ++i) {
    if (pages[i] >= 0 && pages[i] < spec.page_count) continue;
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "block_table[%lld, %lld] is %d, expected 0 to %lld", (long long)batch, (long long)i,
                pages[i], (long long)spec.page_count - 1);
  }
  return FOVEA_OK;
}

}  // namespace fovea::attention
