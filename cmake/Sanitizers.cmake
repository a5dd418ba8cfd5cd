# -DFOVEA_SANITIZE=ON (preset asan): AddressSanitizer and UndefinedBehaviorSanitizer, fatal on the
# first finding.
option(FOVEA_SANITIZE "Build with ASan and UBSan" OFF)
if(FOVEA_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
