// wgmma: each warp computes its 16 of the 64 rows for itself, so that nothing but the kernel's own barriers orders the
// warps of a group.

#include "sim/products.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "sim/block.h"
#include "sim/matrix.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kRows = 16;     // of a warp
constexpr uint32_t kWords = 8;     // of k, 32 bits each
constexpr uint32_t kChunk = 16;    // bytes
constexpr uint32_t kAtom = 1024;   // bytes: eight rows of 128, of which the 128-byte swizzle permutes the chunks
constexpr uint32_t kPoison = 0x7fc0dead;

// What a descriptor says (PTX ISA, "Matrix descriptor format").
struct Place {
  uint32_t start, leading, stride;
  bool mn_major;

  // Of the byte `at` of a row along k, or along mn.
  uint32_t address(uint32_t row, uint32_t at) const {
    const uint32_t blocks = mn_major ? at / 128 * leading : 0;
    return swizzled(start + blocks + row / 8 * stride + row % 8 * 128 + (mn_major ? at % 128 : at));
  }
};

Place place(Product product, const SharedMatrix& matrix, Where where) {
  const uint64_t bits = matrix.descriptor;
  if (product == Product::kFloat8 && matrix.mn_major) fail("wgmma of an MN-major operand of 8 bits", where);
  if (bits >> 62 != 1) fail("wgmma of an operand that is not in the 128-byte swizzle", where);
  if ((bits >> 49 & 7) != 0) fail("wgmma of a descriptor with a base offset", where);
  Place it = {uint32_t(bits & 0x3fff) << 4, uint32_t(bits >> 16 & 0x3fff) << 4, uint32_t(bits >> 32 & 0x3fff) << 4,
              matrix.mn_major};
  if (it.start % kAtom >= 128) fail("wgmma of an operand that begins inside an atom of 1024 bytes", where);
  if (it.stride % kAtom != 0 || (matrix.mn_major && it.leading % kAtom != 0)) {
    fail("wgmma of an operand whose offsets are no multiples of 1024 bytes", where);
  }
  return it;
}

// The 16-byte chunks that elements [mn, mn + count) of a step of k lie in.
void add_chunks(const Place& it, uint32_t mn, uint32_t count, std::vector<uint32_t>& to) {
  if (it.mn_major) {
    for (uint32_t k = 0; k < 2 * kWords; ++k)
      for (uint32_t at = 2 * mn; at < 2 * (mn + count); at += kChunk) to.push_back(it.address(k, at));
  } else {
    for (uint32_t i = 0; i < count; ++i)
      for (uint32_t at = 0; at < 4 * kWords; at += kChunk) to.push_back(it.address(mn + i, at));
  }
}

}  // namespace

void Products::start() {
  flying_.clear();
  sums_.clear();
  group_ = 0;
  fenced_ = false;
}

// The sums of these registers, which are poison from now on.
std::list<Products::Sums>::iterator Products::find(const Call (&calls)[kWarp], Where where) {
  for (auto it = sums_.begin(); it != sums_.end(); ++it) {
    if (it->threads[0] != calls[0].sums) continue;
    if (it->columns != calls[0].columns) fail("wgmma of sums that are in flight with another shape", where);
    return it;
  }
  sums_.push_back({});
  Sums& sums = sums_.back();
  sums.columns = calls[0].columns;
  sums.flying = 0;
  const uint32_t count = sums.columns / 2;
  sums.values.resize(size_t{kWarp} * count);
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    sums.threads[lane] = calls[lane].sums;
    std::copy_n(calls[lane].sums, count, sums.values.begin() + ptrdiff_t(lane * count));
    std::fill_n(calls[lane].sums, count, std::bit_cast<float>(kPoison));
  }
  return std::prev(sums_.end());
}

void Products::issue(Block& block, const Call (&calls)[kWarp], Where where) {
  const Call& call = calls[0];
  if (call.columns % 8 != 0 || call.columns < 8 || call.columns > 256) {
    fail("wgmma of " + std::to_string(call.columns) + " columns: expected a multiple of 8 up to 256", where);
  }
  if (!fenced_) fail("wgmma without a wgmma_fence behind the last wait", where);
  for (const Call& other : calls) {
    if (other.product != call.product || other.columns != call.columns || other.adds != call.adds ||
        (other.registers == nullptr) != (call.registers == nullptr) ||
        other.first.descriptor != call.first.descriptor || other.second.descriptor != call.second.descriptor) {
      fail("wgmma of a lane has another shape, type or operand", where);
    }
  }
  Flight flight = {call, {}, {}, find(calls, where), {}, group_, false, where};
  ++flight.sums->flying;
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    flight.registers[lane] = calls[lane].registers;
    if (call.registers != nullptr) std::copy_n(calls[lane].registers, 4, flight.factors[lane]);
  }
  const uint32_t warp = block.accessor().warp;
  if (call.registers == nullptr) add_chunks(place(call.product, call.first, where), warp % 4 * kRows, kRows, flight.reads);
  add_chunks(place(call.product, call.second, where), 0, call.columns, flight.reads);
  for (uint32_t address : flight.reads) block.shared().begin_read(address, kChunk, warp, "wgmma", where);
  flying_.push_back(std::move(flight));
}

void Products::compute(Block& block, Flight& flight) {
  if (flight.computed) return;
  flight.computed = true;
  const Call& call = flight.call;
  const uint32_t warp = block.accessor().warp;
  const uint32_t tiles = call.columns / 8;
  // Of the 32 bits of a step of k that are its `index`-th.
  const auto word = [&](const Place& it, uint32_t mn, uint32_t index) {
    uint32_t value;
    if (!it.mn_major) {
      std::memcpy(&value, block.shared().peek(it.address(mn, 4 * index)), sizeof value);
      return value;
    }
    uint16_t halves[2];
    for (uint32_t i = 0; i < 2; ++i) {
      std::memcpy(&halves[i], block.shared().peek(it.address(2 * index + i, 2 * mn)), sizeof halves[i]);
    }
    return halves[0] | uint32_t{halves[1]} << 16;
  };
  std::vector<uint32_t> b(size_t{kWarp} * tiles * 2);
  uint32_t a[kWarp][4];
  Fragments fragments;
  const Place second = place(call.product, call.second, flight.where);
  const Place first = call.registers == nullptr ? place(call.product, call.first, flight.where) : Place{};
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4;
    if (call.registers != nullptr) {
      std::copy_n(flight.registers[lane], 4, a[lane]);
    } else {
      const uint32_t row = warp % 4 * kRows + g;
      a[lane][0] = word(first, row, t);
      a[lane][1] = word(first, row + 8, t);
      a[lane][2] = word(first, row, t + 4);
      a[lane][3] = word(first, row + 8, t + 4);
    }
    uint32_t* const own = b.data() + size_t{lane} * tiles * 2;
    for (uint32_t n = 0; n < tiles; ++n) {
      own[2 * n] = word(second, 8 * n + g, t);
      own[2 * n + 1] = word(second, 8 * n + g, t + 4);
    }
    float* const sums = flight.sums->values.data() + size_t{lane} * call.columns / 2;
    if (!call.adds) std::fill_n(sums, call.columns / 2, 0.0f);
    fragments.a[lane] = a[lane];
    fragments.b[lane] = own;
    fragments.c[lane] = sums;
  }
  multiply(call.product, fragments, tiles, 1, tiles, block.arithmetic().tensor_core);
}

void Products::advance(Block& block, uint32_t count) {
  for (Flight& flight : flying_) {
    if (flight.computed) continue;
    if (count-- == 0) return;
    compute(block, flight);
  }
}

void Products::wait(Block& block, uint32_t pending) {
  const uint32_t warp = block.accessor().warp;
  size_t done = 0;
  for (; done < flying_.size() && flying_[done].group + pending < group_; ++done) {
    Flight& flight = flying_[done];
    compute(block, flight);
    for (uint32_t lane = 0; flight.call.registers != nullptr && lane < kWarp; ++lane) {
      if (std::equal(flight.factors[lane], flight.factors[lane] + 4, flight.registers[lane])) continue;
      fail("a thread writes factors of a wgmma that is in flight", flight.where);
    }
    for (uint32_t address : flight.reads) block.shared().end_read(address, kChunk, warp);
    if (--flight.sums->flying > 0) continue;
    const uint32_t count = flight.call.columns / 2;
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      float* const to = flight.sums->threads[lane];
      const bool poison = std::all_of(to, to + count, [](float x) { return std::isnan(x); });
      if (!poison) fail("a thread writes sums of a wgmma that is in flight", flight.where);
      std::copy_n(flight.sums->values.begin() + ptrdiff_t(lane * count), count, to);
    }
    sums_.erase(flight.sums);
  }
  flying_.erase(flying_.begin(), flying_.begin() + ptrdiff_t(done));
  for (const Flight& flight : flying_) {  // what others have ended, too, is still being read by these
    for (uint32_t address : flight.reads) block.shared().go_on_reading(address, kChunk, warp);
  }
  if (done > 0) fenced_ = false;
}

void wgmma(Product product, float* sums, uint32_t columns, const uint32_t* registers, SharedMatrix first,
           SharedMatrix second, bool adds, Where where) {
  if (product == Product::kTf32) fail("wgmma of TF32, of which there is none here", where);
  Block& block = Block::running(where);
  Products::Call call = {product, sums, columns, registers, first, second, adds};
  block.meet(Primitive::kWgmma, call, where, [&](Lanes<Products::Call> lanes) {
    Products::Call calls[kWarp];
    for (uint32_t lane = 0; lane < kWarp; ++lane) calls[lane] = lanes[lane];
    block.products().issue(block, calls, where);
    if (block.schedule() == Schedule::kEager) block.products().advance(block, UINT32_MAX);
  });
}

void wgmma_fence(Where where) {
  Block& block = Block::running(where);
  char nothing = 0;
  block.meet(Primitive::kWgmma, nothing, where, [&](Lanes<char>) { block.products().fence(); });
}

void wgmma_commit(Where where) {
  Block& block = Block::running(where);
  char nothing = 0;
  block.meet(Primitive::kWgmma, nothing, where, [&](Lanes<char>) { block.products().commit(); });
}

void wgmma_wait(uint32_t pending, const float* sums, Where where) {
  Block& block = Block::running(where);
  const float* payload = sums;
  block.meet(Primitive::kWgmma, payload, where, [&](Lanes<const float*> lanes) {
    block.products().wait(block, pending);
    if (block.products().owns(lanes[0])) fail("wgmma_wait for sums of a product that it leaves in flight", where);
  });
}

void fence_async(Where where) {
  Block& block = Block::running(where);
  block.clocks().publish(block.accessor().warp);
}

}  // namespace fovea::sim
