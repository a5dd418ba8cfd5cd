#include "sim/block.h"

#include <numeric>
#include <utility>

namespace fovea::sim {

[[gnu::tls_model("initial-exec")]] constinit thread_local Block* current_block = nullptr;

const char* name(Primitive primitive) {
  switch (primitive) {
    case Primitive::kShuffle:
      return "shuffle";
    case Primitive::kAny:
      return "any";
    case Primitive::kBallot:
      return "ballot";
    case Primitive::kSyncWarp:
      return "sync_warp";
    case Primitive::kBarrierSync:
      return "barrier_sync";
    case Primitive::kBarrierArrive:
      return "barrier_arrive";
    case Primitive::kLoadMatrices:
      return "load_matrices";
    case Primitive::kStoreMatrices:
      return "store_matrices";
    case Primitive::kMma:
      return "mma";
    case Primitive::kWgmma:
      return "wgmma";
    case Primitive::kGiveRegisters:
      return "give_registers";
    case Primitive::kTakeRegisters:
      return "take_registers";
  }
  __builtin_unreachable();
}

std::string name(Where where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

void fail(const std::string& message, Where where) {
  const Block* const block = current_block;
  throw Error((block == nullptr ? name(where) + ": " : block->place(where)) + message);
}

std::string Block::place(Where where) const {
  std::string text = std::string(launch_->kernel) + ", block " + std::to_string(index_);
  if (in_thread_) text += ", thread " + std::to_string(thread_) + ", " + name(where);
  return text + ": ";
}

void Block::launch(const Launch& launch, const std::function<void()>& body) {
  if (current_block != nullptr)
    fail("a launch inside a kernel, of " + std::string(launch.kernel), {});
  launch_ = &launch;
  body_ = &body;
  fibers_.reserve(launch.threads);
  if (launch.has_engine && launch.threads == kMaxThreads) {
    fail("a block of 1024 threads with bulk copies: expected up to 992", {});
  }
  shared_.reserve(launch.shared_bytes, launch.threads / kWarp, launch.has_engine);
  waits_.assign(launch.threads, {});
  if (stores_.size() < launch.threads) stores_.resize(launch.threads);
  if (products_.size() < launch.threads / kWarp) products_.resize(launch.threads / kWarp);
  global_.start(launch.memory);
  if (copies_.size() < launch.threads) copies_.resize(launch.threads);
  struct Current {
    explicit Current(Block* block) { current_block = block; }
    ~Current() { current_block = nullptr; }
  } const here(this);
  // Blocks come in any order: at random, from some first one in steps that meet every one.
  uint64_t first = 0, step = 1;
  if (schedule() == Schedule::kRandom) {
    Random random(~launch.options.seed);
    first = random.below(launch.blocks);
    do {
      step = 1 + random.below(launch.blocks);
    } while (std::gcd(step, uint64_t{launch.blocks}) != 1);
  }
  for (uint64_t i = 0; i < launch.blocks; ++i) {
    run(uint32_t((first + i * step) % launch.blocks));
  }
}

void Block::run(uint32_t index) {
  index_ = index;
  random_ = Random(Random(launch_->options.seed + index).next());
  shared_.start();
  for (Barrier& barrier : barriers_) barrier = {};
  start_registers();
  mbarriers_.start();
  engine_.start();
  alive_ = threads();
  for (uint32_t t = 0; t < alive_; ++t) {
    copies_[t].start();
    stores_[t].start();
    fibers_.start(t, thread_main, this);
  }
  for (uint32_t w = 0; w < alive_ / kWarp; ++w) {
    warps_[w].arrived = warps_[w].exited = warps_[w].begun = 0;
    warps_[w].barrier = -1;
    products_[w].start();
    make_ready(w);
  }
  while (alive_ > 0) {
    if (schedule() == Schedule::kRandom) land_some();
    while (ready_ == 0 && land_one()) {
    }
    if (ready_ == 0) {
      const Error error(place({}) + deadlock());
      abandon();
      throw error;
    }
    uint32_t ready = ready_;
    if (schedule() == Schedule::kRandom) {
      for (int skip = int(random_.below(uint32_t(__builtin_popcount(ready)))); skip > 0; --skip) {
        ready &= ready - 1;
      }
    }
    turn(uint32_t(__builtin_ctz(ready)));
    if (error_ != nullptr) {
      abandon();
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }
  check_phases();
  if (traffic() != nullptr) traffic()->end();
}

// Every lane that can run does, until it can no more.
void Block::turn(uint32_t warp) {
  uint32_t ready = warps_[warp].ready;
  order_ = 0;
  if (schedule() == Schedule::kRandom) {
    order_ = random_.below(kWarp);
    uint32_t lanes = uint32_t(random_.next() & random_.next() & random_.next());
    for (; lanes != 0; lanes &= lanes - 1) {
      const uint32_t thread = warp * kWarp + uint32_t(__builtin_ctz(lanes));
      copies_[thread].land_some(random_);
      stores_[thread].land_some(random_, shared_);
    }
    thread_ = warp * kWarp;
    if (products_[warp].in_flight()) products_[warp].advance(*this, random_.below(4));
  }
  for (turn_ = 0; ready != 0; ready &= ready - 1) turn_ |= 1u << (__builtin_ctz(ready) ^ order_);
  thread_ = warp * kWarp;
  while (error_ == nullptr && next_lane()) resume(thread_);
}

void Block::resume(uint32_t thread) {
  thread_ = thread;
  in_thread_ = true;
  fibers_.resume(thread);
  in_thread_ = false;
}

// Unwinds every stack, so that nothing a kernel or a primitive holds is lost.
void Block::abandon() {
  abandoned_ = true;
  turn_ = 0;
  for (uint32_t t = 0; t < threads(); ++t) {
    if ((warps_[t / kWarp].begun >> t % kWarp & 1) != 0) resume(t);
  }
  abandoned_ = false;
  ready_ = 0;
}

void Block::thread_main(void* block) {
  Block& self = *static_cast<Block*>(block);
  try {
    (*self.body_)();
    self.exit_thread();
  } catch (const Abandoned&) {
  } catch (...) {
    self.error_ = std::current_exception();
  }
  self.warps_[self.thread_ / kWarp].begun &= ~(1u << self.thread_ % kWarp);
}

void Block::exit_thread() {
  if (copies().in_flight()) {
    fail("the thread exits before it has waited for this copy", copies().oldest());
  }
  if (stores().in_flight()) {
    fail("the thread exits before it has waited for this store to read shared memory", stores().oldest());
  }
  if (products().in_flight()) {
    fail("the thread exits before it has waited for this product", products().oldest());
  }
  Warp& warp = warps_[thread_ / kWarp];
  if (warp.arrived != 0) {
    diverged(warp, "lane " + std::to_string(thread_ % kWarp) + " exits", warp.where);
  }
  const uint32_t bit = 1u << thread_ % kWarp;
  warp.exited |= bit;
  warp.ready &= ~bit;
  if (warp.ready == 0) ready_ &= ~(1u << thread_ / kWarp);
  --alive_;
}

void Block::refuse_alone(const Warp& warp, Primitive primitive, Where where) {
  fail(std::string(name(primitive)) + " without lane " +
           std::to_string(__builtin_ctz(warp.exited)) +
           " of the warp, which has exited: the warp has diverged",
       where);
}

void Block::diverged(const Warp& warp, const std::string& lane, Where where) const {
  fail("the warp has diverged: " + lane + ", but lane " +
           std::to_string(__builtin_ctz(warp.arrived)) + " waits at " + name(warp.primitive) +
           ", " + name(warp.where),
       where);
}

void Block::barrier(uint32_t number, uint32_t count, bool waits, Where where) {
  const Primitive primitive = waits ? Primitive::kBarrierSync : Primitive::kBarrierArrive;
  if (number >= kBarriers) {
    fail(std::string(name(primitive)) + " of barrier " + std::to_string(number) +
             ": expected 0 to 15",
         where);
  }
  if (count == 0 || count % kWarp != 0 || count > threads()) {
    fail(std::string(name(primitive)) + " of " + std::to_string(count) +
             " threads: expected a multiple of 32 up to the block's " + std::to_string(threads()),
         where);
  }
  struct Arguments {
    uint32_t number, count;
  } arguments = {number, count};
  const uint32_t self = thread_ / kWarp, bit = 1u << self;
  Warp& warp = arrive(primitive, &arguments, where);
  if (warp.arrived != kAllLanes) return suspend();
  warp.arrived = 0;
  const Lanes<Arguments> lanes(warp.payload);
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    if (lanes[lane].number != number || lanes[lane].count != count) {
      fail("the lanes of the warp name different barriers or counts", where);
    }
  }
  Barrier& barrier = barriers_[number];
  if (barrier.arrived != 0 && barrier.threads != count) {
    fail("barrier " + std::to_string(number) + " of " + std::to_string(count) +
             " threads: others say " + std::to_string(barrier.threads),
         where);
  }
  if ((barrier.warps & bit) != 0) {
    fail("the warp arrives at barrier " + std::to_string(number) +
             " again before it is complete, with " + std::to_string(barrier.arrived) + " of " +
             std::to_string(count) + " threads",
         where);
  }
  if (barrier.arrived == 0) barrier.clock = {};
  barrier.threads = count;
  barrier.warps |= bit;
  if (waits) barrier.waiting |= bit;
  clocks_.release(self, barrier.clock);
  barrier.arrived += kWarp;
  if (barrier.arrived < count) {
    if (!waits) return make_ready(self);
    warp.barrier = int32_t(number);
    return suspend();
  }
  for (uint32_t waiting = barrier.waiting; waiting != 0; waiting &= waiting - 1) {
    const uint32_t w = uint32_t(__builtin_ctz(waiting));
    clocks_.acquire(w, barrier.clock);
    warps_[w].barrier = -1;
    make_ready(w);
  }
  if (!waits) make_ready(self);
  barrier.arrived = barrier.warps = barrier.waiting = 0;
}

// What thread `thread` waits for.
std::string Block::state(uint32_t thread) const {
  const Warp& warp = warps_[thread / kWarp];
  if ((warp.exited >> thread % kWarp & 1) != 0) return "exited";
  if (waits_[thread].waits) return waiting(waits_[thread]);
  if (const Registers& own = registers_[thread / kWarp]; own.wanted != 0) {
    return "at " + std::string(name(warp.primitive)) + ", " + name(warp.where) + ", with " + std::to_string(own.held) +
           " of " + std::to_string(own.wanted) + " registers and " + std::to_string(free_registers_) +
           " free for a warp";
  }
  if (warp.barrier < 0) {
    return "at " + std::string(name(warp.primitive)) + ", " + name(warp.where) + ", for other lanes";
  }
  const uint32_t number = uint32_t(warp.barrier);
  return "at " + std::string(name(warp.primitive)) + ", " + name(warp.where) + ", barrier " +
         std::to_string(number) + " with " + std::to_string(barriers_[number].arrived) + " of " +
         std::to_string(barriers_[number].threads) + " threads";
}

std::string Block::deadlock() const {
  std::string text = "deadlock";
  const char* separator = ": ";
  for (uint32_t t = 0; t < threads();) {
    const uint32_t first = t;
    const std::string what = state(first);
    while (t < threads() && state(t) == what) ++t;
    text += separator + ("threads " + std::to_string(first) + " to " + std::to_string(t - 1)) +
            " " + what;
    separator = "; ";
  }
  return text;
}

}  // namespace fovea::sim
