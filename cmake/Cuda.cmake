# Sets FOVEA_CUDA to whether CUDA is built.
set(FOVEA_CUDA auto CACHE STRING "Build libfovea_cuda: on, off, or auto (where there is nvcc)")
# FOVEA_CUDA_ARCHS: "verify" (what every build compiles), "release" (everything), or a CMake list.
set(FOVEA_CUDA_ARCHS verify CACHE STRING "CUDA architectures: verify, release or a list")
# Each more is a quarter of the whole build's time: the first in line for speed, and the devices that are here.
set(verify_archs 90a-real)
# The one PTX is the oldest, so that any other device can compile it at run time.
set(release_archs 80-real 90a-real 100-real 120-real 80-virtual)

find_program(FOVEA_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_HOME PATHS /usr/local/cuda/bin)
string(TOLOWER "${FOVEA_CUDA}" wanted)
if(NOT wanted MATCHES "^(on|off|auto)$")
  message(FATAL_ERROR "FOVEA_CUDA is ${FOVEA_CUDA}, expected on, off or auto")
elseif(wanted STREQUAL auto AND NOT FOVEA_NVCC)
  message(STATUS "CUDA is skipped: there is no nvcc")
  set(FOVEA_CUDA OFF)
elseif(wanted STREQUAL auto)
  set(FOVEA_CUDA ON)
elseif(FOVEA_CUDA AND NOT FOVEA_NVCC)
  message(FATAL_ERROR "FOVEA_CUDA is ${FOVEA_CUDA}, but there is no nvcc on the PATH, in CUDACXX or in /usr/local/cuda/bin")
endif()
if(FOVEA_CUDA)
  if(FOVEA_CUDA_ARCHS STREQUAL verify)
    execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
      OUTPUT_VARIABLE here RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
      string(REGEX MATCHALL "([89]|1[0-9])[.][0-9]" here "${here}")
      list(REMOVE_ITEM here 9.0)
      list(TRANSFORM here REPLACE "([0-9]+)[.]([0-9])" "\\1\\2-real")
      list(APPEND verify_archs ${here})
      list(REMOVE_DUPLICATES verify_archs)
    endif()
    set(CMAKE_CUDA_ARCHITECTURES ${verify_archs})
  elseif(FOVEA_CUDA_ARCHS STREQUAL release)
    set(CMAKE_CUDA_ARCHITECTURES ${release_archs})
  else()
    set(CMAKE_CUDA_ARCHITECTURES ${FOVEA_CUDA_ARCHS})
  endif()
  set(CMAKE_CUDA_COMPILER "${FOVEA_NVCC}")
  enable_language(CUDA)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  if(FOVEA_STRICT)
    # Refuses slow kernels, reports on the others.
    set(CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_CURRENT_LIST_DIR}/nvcc-strict")
    set(cuda_errors --Werror=all-warnings)
  endif()
  # cmake 3.25 does not know that nvcc has C++20; CUDA takes its standard from CXX_STANDARD.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  # What the library says of itself, and where g++ finds the CUDA runtime.
  string(REGEX REPLACE "([0-9]+[af]?)-virtual" "compute_\\1" targets "${CMAKE_CUDA_ARCHITECTURES}")
  string(REGEX REPLACE "(^|;)([0-9]+[af]?)(-real)?" "\\1sm_\\2" targets "${targets}")
  string(REPLACE ";" " " targets "${targets}")
  string(REGEX MATCHALL "sm_90a" has_90a "${targets}")
  list(LENGTH has_90a FOVEA_CUDA_HAS_90A)
  set_source_files_properties(cuda/device.cpp PROPERTIES
    INCLUDE_DIRECTORIES "${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}"
    COMPILE_DEFINITIONS
      "FOVEA_NVCC_VERSION=\"${CMAKE_CUDA_COMPILER_VERSION}\";FOVEA_CUDA_TARGETS=\"${targets}\"")
  if(FOVEA_CUDA_ARCHS STREQUAL release)
    # Compressed, the attention kernels take an eighth of the bytes; nvcc's default leaves them plain, which
    # saves 0.7 s of 28 for the largest. Every driver for CUDA 13 unpacks them.
    add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:SHELL:--compress-mode=size>")
  endif()
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:SHELL:${cuda_errors} -Xcompiler=-Wall,-Wextra>")
endif()

# fovea_cuda_report(<targets>...): registers, shared memory, code, executed instructions and wavefronts
# of the kernels of those targets that exist, as <build>/cuda-kernels.tsv, and beside it what is
# counted of the main kernels, instructions.tsv. The same sources give the same tables.
function(fovea_cuda_report)
  if(NOT FOVEA_STRICT)
    return()
  endif()
  set(launcher "${CMAKE_CUDA_COMPILER_LAUNCHER}")
  foreach(target IN LISTS ARGN)
    if(TARGET ${target})
      list(APPEND reported ${target})
      list(APPEND objects $<FILTER:$<TARGET_OBJECTS:${target}>,INCLUDE,[.]cu[.]o$>)
      get_target_property(sources ${target} SOURCES)
      list(FILTER sources INCLUDE REGEX "[.]cu$")
      # An object that an earlier launcher made was not judged by this one.
      set_source_files_properties(${sources} PROPERTIES
        OBJECT_DEPENDS "${launcher};${launcher}.awk")
    endif()
  endforeach()
  add_executable(fovea_main_kernels tools/main_kernels.cpp)
  set(kernels "${CMAKE_BINARY_DIR}/main-kernels.tsv")
  add_custom_command(OUTPUT ${kernels} DEPENDS fovea_main_kernels VERBATIM
    COMMAND fovea_main_kernels > ${kernels})
  # What cannot be counted does not stop a build; the comparison in `mvn verify` finds it missing.
  set(counter "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/sass-count")
  file(GLOB counter_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/sass*.py")
  set(counts "${CMAKE_BINARY_DIR}/instructions.tsv")
  add_custom_command(OUTPUT ${counts} VERBATIM COMMAND_EXPAND_LISTS
    DEPENDS ${objects} ${kernels} ${counter} ${counter_sources}
    COMMAND ${counter} --kernels ${kernels} --table ${CMAKE_CUDA_COMPILER_VERSION} ${objects} > ${counts}
      || ${CMAKE_COMMAND} -E true)
  set(table "${CMAKE_BINARY_DIR}/cuda-kernels.tsv")
  set(wavefronts "${CMAKE_CURRENT_SOURCE_DIR}/cuda/wavefronts.tsv")
  add_custom_command(OUTPUT ${table} DEPENDS ${objects} ${counts} ${wavefronts} VERBATIM
    COMMAND_EXPAND_LISTS
    COMMAND "${launcher}" --collect ${table} ${kernels} ${counts} ${wavefronts} ${objects})
  add_custom_target(cuda_kernels ALL DEPENDS ${table})
  add_dependencies(cuda_kernels ${reported})  # make knows no rule for another target's objects
endfunction()
