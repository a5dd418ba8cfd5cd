// Every function of libcuda that JCuda 12.6's library refers to, so that it loads whichever way the
// dynamic linker binds. Those that libcuda.cpp does not define say that they are not supported.

#define FOVEA_UNSUPPORTED(function) \
  extern "C" __attribute__((weak, visibility("default"))) int function() { return 801; }

#include "jcuda_symbols.inc"
