// Probes of what the kernels stand on, one hardware feature each: the device, a plain kernel on the caller's stream,
// mma.sync, and wgmma fed by the tensor copy engine. They run in the caller's current primary context, write nothing
// but their outputs and wait for nothing.
//
// Each returns a FOVEA_* status; where it is not FOVEA_OK, `error` says why, cut to `error_size` bytes with its zero.
// Matrices are dense and row-major, inputs bfloat16, outputs float32; `stream` is a CUstream, src, dst, a, b and c are
// device pointers.
#ifndef FOVEA_CUDA_PROBE_H_
#define FOVEA_CUDA_PROBE_H_

#include <fovea.h>

#ifdef __cplusplus
extern "C" {
#endif

// The two products of attention, by how wgmma takes their operands.
enum {
  FOVEA_PROBE_SCORES =
      0,  // c[64][128] = a[64][64] * b[128][64]^T, both in shared memory: query * key^T
  FOVEA_PROBE_VALUES = 1,  // c[64][128] = a[64][64] * b[64][128], a in registers: weights * value
};

// Of the current device; `smem_optin` is the shared memory that a block may opt into, in bytes.
FOVEA_API int fovea_cuda_probe_device(int* sm_count, int* cc_major, int* cc_minor, int* smem_optin,
                                      char* error, size_t error_size);

// dst = src. Any alignment; the two must not overlap.
FOVEA_API int fovea_cuda_probe_copy(const void* src, void* dst, size_t bytes, void* stream,
                                    char* error, size_t error_size);

// c[16][8] = a[16][16] * b[8][16]^T. a and b aligned to 4 bytes, c to 8.
FOVEA_API int fovea_cuda_probe_mma(const void* a, const void* b, void* c, void* stream, char* error,
                                   size_t error_size);

// One of the products above. a and b aligned to 16 bytes, c to 8. FOVEA_UNSUPPORTED where the device is not sm_90.
FOVEA_API int fovea_cuda_probe_wgmma(int product, const void* a, const void* b, void* c,
                                     void* stream, char* error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif  // FOVEA_CUDA_PROBE_H_
