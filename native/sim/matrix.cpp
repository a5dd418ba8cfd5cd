// ldmatrix and mma: the last lane that arrives does the work of the warp.

#include "sim/matrix.h"

#include <cstring>

#include "sim/block.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kRow = 16;  // bytes of a matrix's row
constexpr uint32_t kRows = 8;
constexpr uint32_t kMatrices = kWarp / kRows;  // that one instruction loads

struct Load {
  uint32_t* registers;
  const uint32_t* addresses;
  uint32_t count;
  bool transposed;
};

struct Store {
  const uint32_t* registers;
  const uint32_t* addresses;
  uint32_t count;
  bool transposed;
};

struct Mma {
  Product product;
  float* c;
  const uint32_t* a;
  const uint32_t* b;
  uint32_t stride, m, n;
};

void scatter(uint32_t* const (&registers)[kWarp], uint32_t first,
             const unsigned char* const (&rows)[kWarp], bool transposed) {
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t matrix = 0; matrix < kMatrices; ++matrix) {
      const unsigned char* const* const row = rows + matrix * kRows;
      uint32_t& to = registers[lane][first + matrix];
      if (transposed) {
        uint16_t halves[2];
        std::memcpy(&halves[0], row[2 * t] + 2 * g, 2);
        std::memcpy(&halves[1], row[2 * t + 1] + 2 * g, 2);
        to = halves[0] | uint32_t{halves[1]} << 16;
      } else {
        std::memcpy(&to, row[g] + 4 * t, 4);
      }
    }
  }
}

void gather(const uint32_t* const (&registers)[kWarp], uint32_t first, unsigned char* const (&rows)[kWarp],
            bool transposed) {
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t matrix = 0; matrix < kMatrices; ++matrix) {
      unsigned char* const* const row = rows + matrix * kRows;
      const uint32_t from = registers[lane][first + matrix];
      if (transposed) {
        const uint16_t halves[2] = {uint16_t(from), uint16_t(from >> 16)};
        std::memcpy(row[2 * t] + 2 * g, &halves[0], 2);
        std::memcpy(row[2 * t + 1] + 2 * g, &halves[1], 2);
      } else {
        std::memcpy(row[g] + 4 * t, &from, 4);
      }
    }
  }
}

}  // namespace

void store_matrices(const uint32_t* registers, const uint32_t* addresses, uint32_t count, bool transposed,
                    Where where) {
  Block& block = Block::running(where);
  Store store = {registers, addresses, count, transposed};
  block.meet(Primitive::kStoreMatrices, store, where, [&](Lanes<Store> lanes) {
    const uint32_t* from[kWarp];
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      from[lane] = lanes[lane].registers;
      if (lanes[lane].count != count || lanes[lane].transposed != transposed) {
        fail("store_matrices of lane " + std::to_string(lane) + " has another shape", where);
      }
    }
    const uint32_t warp = block.accessor().warp;
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t to[kWarp];
      unsigned char* rows[kWarp];
      for (uint32_t lane = 0; lane < kWarp; ++lane) {
        to[lane] = lanes[lane].addresses[i];
        // Four lanes write a row: to the shadow it is the one that gave its address.
        rows[lane] = block.shared().write(to[lane], kRow, {warp, lane}, "store_matrices", where);
      }
      if (block.traffic() != nullptr) block.traffic()->access(Request::kMatrices, to, kRow, where);
      gather(from, i * kMatrices, rows, transposed);
    }
  });
}

void load_matrices(uint32_t* registers, const uint32_t* addresses, uint32_t count, bool transposed,
                   Where where) {
  Block& block = Block::running(where);
  Load load = {registers, addresses, count, transposed};
  block.meet(Primitive::kLoadMatrices, load, where, [&](Lanes<Load> lanes) {
    uint32_t* to[kWarp];
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      to[lane] = lanes[lane].registers;
      if (lanes[lane].count != count || lanes[lane].transposed != transposed) {
        fail("load_matrices of lane " + std::to_string(lane) + " has another shape", where);
      }
    }
    const Accessor warp = {block.accessor().warp, kWarp};
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t from[kWarp];
      const unsigned char* rows[kWarp];
      for (uint32_t lane = 0; lane < kWarp; ++lane) {
        from[lane] = lanes[lane].addresses[i];
        rows[lane] = block.shared().read(from[lane], kRow, warp, "load_matrices", where);
      }
      if (block.traffic() != nullptr) {
        block.traffic()->access(Request::kMatrices, from, kRow, where);
      }
      scatter(to, i * kMatrices, rows, transposed);
    }
  });
}

void mma(Product product, float* c, uint32_t stride, const uint32_t* a, const uint32_t* b,
         uint32_t m, uint32_t n, Where where) {
  Mma mma = {product, c, a, b, stride, m, n};
  Block& block = Block::running(where);
  block.meet(Primitive::kMma, mma, where, [&](Lanes<Mma> lanes) {
    Fragments fragments;
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      const Mma& other = lanes[lane];
      if (other.product != product || other.stride != stride || other.m != m || other.n != n) {
        fail("mma of lane " + std::to_string(lane) + " has another shape or type", where);
      }
      fragments.a[lane] = other.a;
      fragments.b[lane] = other.b;
      fragments.c[lane] = other.c;
    }
    multiply(product, fragments, stride, m, n, block.arithmetic().tensor_core);
  });
}

}  // namespace fovea::sim
