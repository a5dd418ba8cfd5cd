// cuBLASLt on the stub's devices, as far as it is used: it refuses what the library refuses, and
// multiplies in the order of a stream. Numbers of cublasLt.h, CUDA 13.

#include <cstring>
#include <set>

#include "call.h"
#include "core/half.h"

using namespace fovea::stub;

namespace {

// cublasStatus_t.
enum Status {
  kOk = 0,
  kNoContext = 1,  // CUBLAS_STATUS_NOT_INITIALIZED
  kInvalid = 7,
  kFailed = 13,
  kUnsupported = 15,
};

constexpr int kCompute32F = 68;
enum Type { kFloat32 = 0, kFloat16 = 2, kBfloat16 = 14 };  // cudaDataType_t
constexpr uint32_t kNoEpilogue = 1, kBiasEpilogue = 4;

struct Handle {
  int device;
};

struct Descriptor {
  int32_t transposed[2] = {0, 0};  // of a and b
  uint32_t epilogue = kNoEpilogue;
  const void* bias = nullptr;
  int32_t bias_type = -1;  // that of d
};

// Column-major.
struct Matrix {
  int type;
  uint64_t rows, columns;
  int64_t stride;
};

struct Preference {
  uint64_t workspace = 0;
};

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int32_t state;
  float waves;
  int32_t reserved[4];
};
static_assert(sizeof(Heuristic) == 96);

constexpr uint64_t kAlgorithm = 0x466f766561;  // what only the heuristic gives
constexpr size_t kWorkspace = 256;             // what it then needs

std::set<void*>& live() {
  static std::set<void*> all;
  return all;
}

template <typename T>
int create(T** to, T value) {
  *to = new T(value);
  live().insert(*to);
  return kOk;
}

template <typename T>
int destroy(T* it) {
  if (live().erase(it) == 0) return kInvalid;
  delete it;
  return kOk;
}

// What is of the host alone needs no context.
template <typename Body>
int on_host(const char* function, Body body) {
  return call(function, false, body);
}

template <typename Body>
int on_device(const char* function, Body body) {
  const int result = call(function, true, body);
  return result == kInvalidContext || result == kNotInitialized ? int{kNoContext} : result;
}

template <typename T>
int set(T& to, const void* from, size_t bytes) {
  if (bytes != sizeof(T)) return kInvalid;
  std::memcpy(&to, from, bytes);
  return kOk;
}

size_t bytes_of(int type) { return type == kFloat32 ? 4 : 2; }

float load(const void* from, int type) {
  if (type == kFloat32) return *static_cast<const float*>(from);
  if (type == kFloat16) return fovea::to_float(*static_cast<const fovea::float16*>(from));
  return fovea::to_float(*static_cast<const fovea::bfloat16*>(from));
}

void store(void* to, int type, float value) {
  if (type == kFloat32) {
    *static_cast<float*>(to) = value;
  } else if (type == kFloat16) {
    *static_cast<fovea::float16*>(to) = fovea::from_float<fovea::float16>(value);
  } else {
    *static_cast<fovea::bfloat16*>(to) = fovea::from_float<fovea::bfloat16>(value);
  }
}

struct View {
  const unsigned char* data;
  Matrix matrix;
  bool transposed = false;

  uint64_t rows() const { return transposed ? matrix.columns : matrix.rows; }
  uint64_t columns() const { return transposed ? matrix.rows : matrix.columns; }
  size_t at(uint64_t row, uint64_t column) const {
    if (transposed) std::swap(row, column);
    return (row + column * uint64_t(matrix.stride)) * bytes_of(matrix.type);
  }
  float operator()(uint64_t row, uint64_t column) const {
    return load(data + at(row, column), matrix.type);
  }
  // All of it is memory of the device.
  bool lies_on(int device) const {
    const size_t bytes =
        (matrix.rows + (matrix.columns - 1) * uint64_t(matrix.stride)) * bytes_of(matrix.type);
    const Block* const block = machine().block(data, bytes);
    return block != nullptr && block->device == device &&
           reinterpret_cast<uintptr_t>(data) % bytes_of(matrix.type) == 0;
  }
};

bool fit(const View& a, const View& b, const View& d) {
  return a.columns() == b.rows() && a.rows() == d.rows() && b.columns() == d.columns();
}

bool same(const Matrix& x, const Matrix& y) {
  return x.type == y.type && x.rows == y.rows && x.columns == y.columns && x.stride == y.stride;
}

// Sums in float32, as told: in an order of its own, which nobody may count on.
void multiply(const View& a, const View& b, const View& d, const Descriptor& how, float alpha,
              float beta) {
  auto* const to = const_cast<unsigned char*>(d.data);
  const int bias_type = how.bias_type < 0 ? d.matrix.type : how.bias_type;
  for (uint64_t row = 0; row < d.rows(); ++row) {
    const float bias =
        how.epilogue == kBiasEpilogue
            ? load(static_cast<const unsigned char*>(how.bias) + row * bytes_of(bias_type),
                   bias_type)
            : 0;
    for (uint64_t column = 0; column < d.columns(); ++column) {
      float sum = 0;
      for (uint64_t k = a.columns(); k-- > 0;) sum += a(row, k) * b(k, column);
      const float before = beta == 0 ? 0 : beta * d(row, column);
      store(to + d.at(row, column), d.matrix.type, alpha * sum + before + bias);
    }
  }
}

}  // namespace

FOVEA_STUB int cublasLtCreate(Handle** handle) {
  return on_device("cublasLtCreate", [&] { return create(handle, Handle{current_device()}); });
}

FOVEA_STUB int cublasLtMatmulDescCreate(Descriptor** descriptor, int compute, int scale) {
  return on_host("cublasLtMatmulDescCreate", [&] {
    if (compute != kCompute32F || scale != kFloat32) return int{kUnsupported};
    return create(descriptor, Descriptor{});
  });
}

FOVEA_STUB int cublasLtMatmulDescSetAttribute(Descriptor* descriptor, int attribute,
                                              const void* value, size_t bytes) {
  return on_host("cublasLtMatmulDescSetAttribute", [&]() -> int {
    if (live().count(descriptor) == 0) return kInvalid;
    switch (attribute) {
      case 3:  // CUBLASLT_MATMUL_DESC_TRANSA
      case 4:
        return set(descriptor->transposed[attribute - 3], value, bytes);
      case 7:
        return set(descriptor->epilogue, value, bytes);
      case 8:
        return set(descriptor->bias, value, bytes);
      case 26:
        return set(descriptor->bias_type, value, bytes);
      default:
        return kUnsupported;
    }
  });
}

FOVEA_STUB int cublasLtMatmulDescDestroy(Descriptor* descriptor) {
  return on_host("cublasLtMatmulDescDestroy", [&] { return destroy(descriptor); });
}

FOVEA_STUB int cublasLtMatrixLayoutCreate(Matrix** layout, int type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  return on_host("cublasLtMatrixLayoutCreate", [&]() -> int {
    if (type != kFloat32 && type != kFloat16 && type != kBfloat16) return kUnsupported;
    return create(layout, Matrix{type, rows, columns, stride});
  });
}

FOVEA_STUB int cublasLtMatrixLayoutDestroy(Matrix* layout) {
  return on_host("cublasLtMatrixLayoutDestroy", [&] { return destroy(layout); });
}

FOVEA_STUB int cublasLtMatmulPreferenceCreate(Preference** preference) {
  return on_host("cublasLtMatmulPreferenceCreate",
                 [&] { return create(preference, Preference{}); });
}

FOVEA_STUB int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute,
                                                    const void* value, size_t bytes) {
  return on_host("cublasLtMatmulPreferenceSetAttribute", [&]() -> int {
    if (live().count(preference) == 0) return kInvalid;
    constexpr int kMostWorkspace = 1;
    return attribute == kMostWorkspace ? set(preference->workspace, value, bytes)
                                       : int{kUnsupported};
  });
}

FOVEA_STUB int cublasLtMatmulPreferenceDestroy(Preference* preference) {
  return on_host("cublasLtMatmulPreferenceDestroy", [&] { return destroy(preference); });
}

namespace {

int check(const Handle* handle, const Descriptor* descriptor, const Matrix* a, const Matrix* b,
          const Matrix* c, const Matrix* d) {
  for (const void* it : {static_cast<const void*>(handle), static_cast<const void*>(descriptor),
                         static_cast<const void*>(a), static_cast<const void*>(b),
                         static_cast<const void*>(c), static_cast<const void*>(d)}) {
    if (live().count(const_cast<void*>(it)) == 0) return kInvalid;
  }
  if (handle->device != current_device()) return kInvalid;
  for (const Matrix* it : {a, b, c, d}) {
    if (it->rows == 0 || it->columns == 0 || it->stride < int64_t(it->rows)) return kInvalid;
  }
  for (const int32_t each : descriptor->transposed) {
    if (each != 0 && each != 1) return kInvalid;
  }
  if (descriptor->epilogue != kNoEpilogue && descriptor->epilogue != kBiasEpilogue)
    return kUnsupported;
  if (descriptor->epilogue == kBiasEpilogue && descriptor->bias == nullptr) return kInvalid;
  const View left{nullptr, *a, descriptor->transposed[0] == 1};
  const View right{nullptr, *b, descriptor->transposed[1] == 1};
  if (!fit(left, right, View{nullptr, *d}) || !same(*c, *d)) return kInvalid;
  // Factors of one type; a result of that type or float32.
  return a->type == b->type && (d->type == a->type || d->type == kFloat32) ? kOk : kUnsupported;
}

}  // namespace

FOVEA_STUB int cublasLtMatmulAlgoGetHeuristic(Handle* handle, Descriptor* descriptor, Matrix* a,
                                              Matrix* b, Matrix* c, Matrix* d,
                                              Preference* preference, int wanted,
                                              Heuristic* results, int* found) {
  return on_device("cublasLtMatmulAlgoGetHeuristic", [&]() -> int {
    *found = 0;
    if (wanted < 1 || live().count(preference) == 0) return kInvalid;
    if (const int status = check(handle, descriptor, a, b, c, d)) return status;
    if (preference->workspace < kWorkspace) return kUnsupported;
    results[0] = {};
    results[0].algorithm.data[0] = kAlgorithm;
    results[0].workspace = kWorkspace;
    *found = 1;
    return kOk;
  });
}

FOVEA_STUB int cublasLtMatmul(Handle* handle, Descriptor* descriptor, const float* alpha,
                              const void* a, Matrix* a_layout, const void* b, Matrix* b_layout,
                              const float* beta, const void* c, Matrix* c_layout, void* d,
                              Matrix* d_layout, const Algorithm* algorithm, void* workspace,
                              size_t workspace_bytes, void* stream_handle) {
  return on_device("cublasLtMatmul", [&]() -> int {
    if (const int status = check(handle, descriptor, a_layout, b_layout, c_layout, d_layout)) {
      return status;
    }
    const auto stream = machine().stream(stream_handle);
    if (!stream || stream->device != handle->device || c != d) return kInvalid;
    if (algorithm->data[0] != kAlgorithm || workspace_bytes < kWorkspace) return kInvalid;
    const auto bytes = [](const void* it) { return static_cast<const unsigned char*>(it); };
    const View left{bytes(a), *a_layout, descriptor->transposed[0] == 1};
    const View right{bytes(b), *b_layout, descriptor->transposed[1] == 1};
    const View to{bytes(d), *d_layout};
    const int device = handle->device;
    const Block* const scratch = machine().block(workspace, workspace_bytes);
    if (!left.lies_on(device) || !right.lies_on(device) || !to.lies_on(device) ||
        scratch == nullptr || scratch->device != device) {
      return kFailed;  // which the library would find out later, or never
    }
    stream->add([=, how = *descriptor, alpha = *alpha, beta = *beta] {
      std::memset(workspace, 0xA5, kWorkspace);
      multiply(left, right, to, how, alpha, beta);
    });
    return kOk;
  });
}

// Descriptors, layouts and preferences that are not destroyed, and handles.
FOVEA_STUB long fovea_stub_cublaslt() {
  const std::lock_guard lock(machine().mutex);
  return long(live().size());
}
