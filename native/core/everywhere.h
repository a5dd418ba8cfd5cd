// Functions that hosts and devices have alike.
#pragma once

#ifdef __CUDACC__
#define FOVEA_EVERYWHERE __host__ __device__
#else
#define FOVEA_EVERYWHERE
#endif
