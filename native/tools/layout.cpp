// Prints where the compiler puts every field of every struct of fovea.h, for the tests of the Java
// bindings: struct.field.offset=N and struct.size=N. The list comes from cmake/Layout.cmake.
#include <cstddef>
#include <cstdio>

#include "fovea.h"

int main() {
  std::size_t end = 0;
  bool gaps = false;
  auto reach = [&](std::size_t offset, const char* what) {
    if (offset != end) {
      std::fprintf(stderr, "fovea.h: %s is at %zu, but the fields before it end at %zu\n", what,
                   offset, end);
      gaps = true;
    }
  };
#define STRUCT(type) end = 0;
#define FIELD(type, field)                                                   \
  reach(offsetof(type, field), #type "." #field);                            \
  end = offsetof(type, field) + sizeof(type::field);                         \
  std::printf(#type "." #field ".offset=%zu\n", offsetof(type, field));
#define END(type)                                                            \
  reach(sizeof(type), "the end of " #type);                                  \
  std::printf(#type ".size=%zu\n", sizeof(type));
#include "layout_fields.inc"
  return gaps ? 1 : 0;
}
