# Every warning is an error, in every C and C++ source, and kernels that spill are refused (Cuda.cmake):
# where a library is needed and the compilers are others than these, it is better slow than not there.
option(FOVEA_STRICT "Refuse what compilers warn of, and kernels far from their speed" ON)
add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-Wall> $<$<COMPILE_LANGUAGE:C,CXX>:-Wextra>)
if(FOVEA_STRICT)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
