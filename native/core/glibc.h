// Lets a library run on glibcs older than the one it was linked with: a linker takes the newest version
// of each function, also where the older one, which glibc keeps under the same name, does as well.
// FOVEA_GLIBC(exp2, "2.2.5"): every call of exp2 in this library goes to that version.
#pragma once

#include <cstdlib>  // says whether the C library is glibc

// AddressSanitizer wants the calls for itself.
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__)) && !defined(__SANITIZE_ADDRESS__)
// A jump through the global offset table, as the linker would make one. Not a .symver in each source:
// the CUDA runtime is there as objects only.
#if defined(__x86_64__)
#define FOVEA_GLIBC_JUMP(function) "jmp *" #function "_old@GOTPCREL(%rip)\n"
#define FOVEA_GLIBC_VERSION(version) version
#else
#define FOVEA_GLIBC_JUMP(function)       \
  "adrp x16, :got:" #function "_old\n"   \
  "ldr x16, [x16, :got_lo12:" #function "_old]\n" \
  "br x16\n"
#define FOVEA_GLIBC_VERSION(version) "2.17"  // its first
#endif
#define FOVEA_GLIBC(function, version)                                                      \
  __asm__(".pushsection .text\n"                                                            \
          ".globl " #function "\n"                                                          \
          ".hidden " #function "\n"                                                         \
          ".type " #function ", %function\n" #function ":\n"                                \
          FOVEA_GLIBC_JUMP(function)                                                        \
          ".size " #function ", . - " #function "\n"                                        \
          ".symver " #function "_old, " #function "@GLIBC_" FOVEA_GLIBC_VERSION(version) "\n" \
          ".popsection\n")
#else
#define FOVEA_GLIBC(function, version) static_assert(true)
#endif
