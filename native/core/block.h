// Versioned parameter blocks: the size rules of fovea.h, in one place.
#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "fovea.h"

namespace fovea {

// Writes a message into the error array of a block and hands the status through.
[[gnu::format(printf, 3, 4)]] inline int32_t fail(char (&error)[FOVEA_ERROR_LENGTH], int32_t status,
                                                  const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(error, FOVEA_ERROR_LENGTH, format, arguments);
  va_end(arguments);
  return status;
}

// Every block begins with its size.
inline uint32_t read_size(const void* block) {
  uint32_t size;
  std::memcpy(&size, block, sizeof size);
  return size;
}

// Reads a caller's block of any version into one of `bytes` bytes: zero-extends a smaller one, refuses a
// larger one whose unknown tail is not zero.
inline bool read_block(const void* from, void* to, size_t bytes) {
  if (from == nullptr) return false;
  const size_t given = read_size(from);
  if (given < sizeof(uint32_t)) return false;
  const auto* all = static_cast<const unsigned char*>(from);
  if (given > bytes &&
      std::any_of(all + bytes, all + given, [](unsigned char b) { return b != 0; })) {
    return false;
  }
  std::memset(to, 0, bytes);
  std::memcpy(to, from, std::min(given, bytes));
  const uint32_t size = uint32_t(bytes);
  std::memcpy(to, &size, sizeof size);
  return true;
}

// Answers into a caller's block, as far as it reaches; its `size` stays what the caller wrote.
template <typename Block>
bool write_block(const Block& from, Block* to) {
  if (to == nullptr || to->size < sizeof(uint32_t)) return false;
  const size_t given = to->size;
  std::memcpy(reinterpret_cast<char*>(to) + sizeof(uint32_t),
              reinterpret_cast<const char*>(&from) + sizeof(uint32_t),
              std::min(given, sizeof(Block)) - sizeof(uint32_t));
  return true;
}

}  // namespace fovea
