# -DFOVEA_SANITIZE=ON (preset asan): AddressSanitizer and UndefinedBehaviorSanitizer, fatal on the
# first finding.
option(FOVEA_SANITIZE "Build with ASan and UBSan" OFF)
set(sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
if(FOVEA_SANITIZE)
  add_compile_options(${sanitize_flags})
  add_link_options(-fsanitize=address,undefined)
endif()
