// Lets a library run on glibcs older than the one it was linked with: a linker takes the newest version
// of each function, also where the older one, which glibc keeps under the same name, does as well.
// FOVEA_GLIBC(exp2, "2.2.5"): every call of exp2 in this library goes to that version.
#pragma once

#include <cstdlib>  // says whether the C library is glibc

// AddressSanitizer wants the calls for itself.
#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
// A jump through the global offset table, as the linker would make one. Not a .symver in each source:
// the CUDA runtime is there as objects only.
#define FOVEA_GLIBC(function, version)                                   \
  __asm__(".pushsection .text\n"                                         \
          ".globl " #function "\n"                                       \
          ".hidden " #function "\n"                                      \
          ".type " #function ", @function\n" #function                   \
          ": jmp *" #function "_old@GOTPCREL(%rip)\n"                    \
          ".size " #function ", . - " #function "\n"                     \
          ".symver " #function "_old, " #function "@GLIBC_" version "\n" \
          ".popsection\n")
#else
#define FOVEA_GLIBC(function, version) static_assert(true)
#endif
