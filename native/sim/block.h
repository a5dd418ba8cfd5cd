// One block under way: its threads take turns, meet in warps and at barriers.
#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "sim/clocks.h"
#include "sim/copy.h"
#include "sim/engine.h"
#include "sim/fiber.h"
#include "sim/global_memory.h"
#include "sim/phases.h"
#include "sim/products.h"
#include "sim/random.h"
#include "sim/shared_memory.h"
#include "sim/sim.h"
#include "sim/traffic.h"

namespace fovea::sim {

// What the threads of a warp do together.
enum class Primitive : uint8_t {
  kShuffle,
  kAny,
  kBallot,
  kSyncWarp,
  kBarrierSync,
  kBarrierArrive,
  kLoadMatrices,
  kStoreMatrices,
  kMma,
  kWgmma,
  kGiveRegisters,
  kTakeRegisters,
};

const char* name(Primitive primitive);

// What each lane brought to where they met.
template <typename Payload>
class Lanes {
 public:
  explicit Lanes(void* const* payloads) : payloads_(payloads) {}
  Payload& operator[](uint32_t lane) const { return *static_cast<Payload*>(payloads_[lane]); }

 private:
  void* const* payloads_;
};

class Block;

// Every primitive asks for it: the model that needs no call in a shared library either.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Block* current_block;

class Block {
 public:
  Block() : shared_(clocks_) {}

  // The block whose kernel calls; fails outside of one.
  static Block& running(Where where) {
    Block* const block = current_block;
    if (block == nullptr || !block->in_thread_) fail("a primitive outside of a kernel", where);
    return *block;
  }

  // Launches: all blocks, one after another.
  void launch(const Launch& launch, const std::function<void()>& body);

  uint32_t thread() const { return thread_; }
  uint32_t index() const { return index_; }
  uint32_t threads() const { return launch_->threads; }
  Schedule schedule() const { return launch_->options.schedule; }
  const Arithmetic& arithmetic() const { return launch_->options.arithmetic; }
  Accessor accessor() const { return {thread_ / kWarp, thread_ % kWarp}; }
  Traffic* traffic() const { return launch_->options.traffic; }
  SharedMemory& shared() { return shared_; }
  GlobalMemory& global() { return global_; }
  Copies& copies() { return copies_[thread_]; }
  BulkStores& stores() { return stores_[thread_]; }
  Products& products() { return products_[thread_ / kWarp]; }
  Clocks& clocks() { return clocks_; }

  // All lanes of the warp meet here, each with its own `payload`; the last one to arrive runs
  // last(lanes) for all of them.
  template <typename Payload, typename Last>
  void meet(Primitive primitive, Payload& payload, Where where, Last&& last) {
    Warp& warp = arrive(primitive, &payload, where);
    if (warp.arrived != kAllLanes) return suspend();
    warp.arrived = 0;
    last(Lanes<Payload>(warp.payload));
    make_ready(thread_ / kWarp);
  }

  // The whole warp arrives at a barrier, and waits for it to complete if `waits`.
  void barrier(uint32_t barrier, uint32_t threads, bool waits, Where where);

  // As in sim.h.
  void set_registers(uint32_t count, bool takes, Where where);

  // mbarriers and what they wait for, as in sim.h.
  Phases& mbarrier(uint32_t address, const char* primitive, Where where);
  void init_mbarrier(uint32_t address, uint32_t arrivals, Where where);
  void publish_mbarriers(Where where);
  void arrive_at_mbarrier(uint32_t address, uint32_t bytes, Where where);
  void wait_for_mbarrier(uint32_t address, uint32_t parity, Where where);
  void issue(BulkLoad load);

  // "attention, block 2, thread 37, mma.cuh:12: "
  std::string place(Where where) const;

 private:
  static constexpr uint32_t kAllLanes = 0xffffffff;
  static constexpr uint32_t kBarriers = 16;

  struct Warp {
    uint32_t ready;    // lanes that can run
    uint32_t arrived;  // lanes that wait where the warp is to meet
    uint32_t exited;
    uint32_t begun;   // lanes whose fiber is under way
    int32_t barrier;  // that all lanes wait for, or -1
    Primitive primitive;
    Where where;
    void* payload[kWarp];
  };

  struct Barrier {
    uint32_t threads;  // that complete it
    uint32_t arrived;
    uint32_t warps;    // that arrived, a bit each
    uint32_t waiting;  // those of them that wait
    Clock clock;       // what happened before it
  };

  // Of each thread of a warp.
  struct Registers {
    uint32_t held;
    uint32_t wanted;  // 0: no more
  };

  // A thread that waits for a phase.
  struct Wait {
    bool waits;
    uint32_t mbarrier, parity;
    Where where;
  };

  // Thrown where a fiber is suspended, to clear its stack when another one has failed.
  struct Abandoned {};

  // The copy engine has a clock of its own, behind those of the warps.
  uint32_t engine_party() const { return threads() / kWarp; }
  void start_registers();
  bool land_one();
  void land_some();
  void land(BulkLoad load);
  void check_phases();
  void end_phase(Phases& phases);

  static void thread_main(void* block);
  void run(uint32_t index);
  void turn(uint32_t warp);

  // Moves on to the next lane of the turn.
  bool next_lane() {
    if (turn_ == 0) return false;
    const uint32_t lane = uint32_t(__builtin_ctz(turn_)) ^ order_;
    turn_ &= turn_ - 1;
    thread_ = thread_ / kWarp * kWarp + lane;
    warps_[thread_ / kWarp].begun |= 1u << lane;
    return true;
  }
  void resume(uint32_t thread);
  void suspend() {
    if (next_lane()) {
      fibers_.yield(thread_);
    } else {
      fibers_.suspend();
    }
    if (abandoned_) throw Abandoned();
  }
  void abandon();
  void exit_thread();
  void make_ready(uint32_t warp) {
    warps_[warp].ready = kAllLanes;
    ready_ |= 1u << warp;
  }
  Warp& arrive(Primitive primitive, void* payload, Where where) {
    const uint32_t lane = thread_ % kWarp;
    Warp& warp = warps_[thread_ / kWarp];
    if (warp.arrived == 0) {
      if (warp.exited != 0) refuse_alone(warp, primitive, where);
      warp.primitive = primitive;
      warp.where = where;
    } else if (warp.primitive != primitive || !same_line(warp.where, where)) {
      diverged(warp, "lane " + std::to_string(lane) + " is at " + name(primitive), where);
    }
    warp.payload[lane] = payload;
    warp.arrived |= 1u << lane;
    warp.ready &= ~(1u << lane);
    if (warp.ready == 0) ready_ &= ~(1u << thread_ / kWarp);
    if (traffic() != nullptr && warp.arrived == kAllLanes) traffic()->meet(thread_ / kWarp);
    return warp;
  }
  static bool same_line(Where a, Where b) {
    return a.line() == b.line() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
  }
  [[noreturn]] static void refuse_alone(const Warp& warp, Primitive primitive, Where where);
  [[noreturn]] void diverged(const Warp& warp, const std::string& lane, Where where) const;
  std::string deadlock() const;
  std::string waiting(const Wait& wait) const;
  std::string state(uint32_t thread) const;

  const Launch* launch_ = nullptr;
  const std::function<void()>* body_ = nullptr;
  uint32_t index_ = 0;
  uint32_t thread_ = 0;
  bool in_thread_ = false;
  bool abandoned_ = false;
  std::exception_ptr error_;
  Random random_;
  Clocks clocks_;
  Fibers fibers_;
  SharedMemory shared_;
  GlobalMemory global_;
  uint32_t turn_ = 0;   // lanes that have not had theirs, as their warp has its turn
  uint32_t order_ = 0;  // is xored to them
  uint32_t ready_ = 0;  // warps that can run
  uint32_t alive_ = 0;  // threads
  Warp warps_[kMaxWarps];
  Barrier barriers_[kBarriers];
  std::vector<Copies> copies_;
  Mbarriers mbarriers_;
  Engine engine_;
  std::vector<Wait> waits_;  // by thread
  std::vector<Products> products_;  // by warp
  std::vector<BulkStores> stores_;  // by thread
  Registers registers_[kMaxWarps];
  uint32_t free_registers_ = 0;  // of a thread, times warps
};

}  // namespace fovea::sim
