// Rows of out: a thread has packets of several, all on their way before the first is used.

#include "cuda/embedding/params.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::embedding::cuda {
namespace {

template <typename Types>
struct Block {
  static constexpr int kPacket = Types::kPacket;
  static constexpr int kFrom = Types::template kBytes<0>, kTo = Types::template kBytes<1>;
  static constexpr int kFromWords = Types::template kWords<0>;
  static constexpr int kToWords = Types::template kWords<1>;

  const LookupParams& p;
  int64_t first;  // token

  FOVEA_DEVICE explicit Block(const LookupParams& params)
      : p(params), first((p.first_item + tile::block_index()) * p.rows) {}

  FOVEA_DEVICE void run() const {
    const int32_t rows = p.tokens - first < p.rows ? int32_t(p.tokens - first) : p.rows;
    const int32_t units = rows * p.lanes;
    FOVEA_NO_UNROLL
    for (auto i = int32_t(tile::thread_index()); i < units; i += kUnits * kThreads) {
      copy(i, units);
    }
  }

 private:
  FOVEA_DEVICE void copy(int32_t begin, int32_t units) const {
    uint32_t words[kUnits][kFromWords], added[kUnits][kFromWords];
    int64_t to[kUnits];
    bool exists[kUnits];
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      const int32_t i = begin + u * kThreads;
      if (i >= units) break;
      const int64_t token = first + i / p.lanes, batch = token / p.length, row = token % p.length;
      const int32_t column = i % p.lanes * kPacket;
      to[u] = batch * p.out_stride[0] + row * p.out_stride[1] + column;
      exists[u] = load(p.table, p.table_stride, p.ids, batch, row, column, words[u]);
      if (p.positions.data != nullptr) {
        exists[u] &= load(p.positions, p.positions_stride, p.position_ids, batch, row, column,
                          added[u]);
      }
    }
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      if (begin + u * kThreads >= units) break;
      store(to[u], exists[u], words[u], added[u]);
    }
  }

  // Whether there is such a row.
  FOVEA_DEVICE bool load(const PacketTensor& tensor, int64_t stride, const Indices& of,
                         int64_t batch, int64_t row, int32_t column,
                         uint32_t (&words)[kFromWords]) const {
    const int64_t index = of.given ? tile::load_global(of.at + batch * of.stride + row) : row;
    const bool exists = index >= 0 && index < of.rows;
    if (exists) load_packet<kFrom, kPacket>(tensor, index * stride + column, words);
    return exists;
  }

  FOVEA_DEVICE void store(int64_t to, bool exists, const uint32_t (&words)[kFromWords],
                          const uint32_t (&added)[kFromWords]) const {
    float x[kPacket];
    if (exists) {
      widen_packet<kFrom, kPacket>(p.table, words, x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] *= p.scale;
      if (p.positions.data != nullptr) {
        float y[kPacket];
        widen_packet<kFrom, kPacket>(p.positions, added, y);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) x[e] += y[e];
      }
    } else {
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = tile::as_float(0x7fffffffu);
    }
    uint32_t rounded[kToWords];
    round_packet<kTo, kPacket>(p.out, x, rounded);
    store_packet<kTo, kPacket>(p.out, to, rounded);
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3) void embedding_lookup(const LookupParams p) {
  with_packet_types(p.table, p.out, p.packet, [&](auto* types) {
    Block<std::remove_pointer_t<decltype(types)>>(p).run();
  });
}

}  // namespace

LookupKernel* lookup_kernel() { return embedding_lookup; }

}  // namespace fovea::embedding::cuda
