// The threads of a block: each a function on a stack of its own, all on the OS thread that started
// them, which they never leave. Stacks stand on guard pages and are kept for the next block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if !defined(__x86_64__) || defined(FOVEA_SIM_UCONTEXT)
#define FOVEA_SIM_HAND_WRITTEN_SWITCH 0
#include <ucontext.h>
#else
#define FOVEA_SIM_HAND_WRITTEN_SWITCH 1
#endif

namespace fovea::sim {

class Fibers {
 public:
  using Entry = void (*)(void* argument);

  Fibers() = default;
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // Makes room for `count` fibers. None may be under way.
  void reserve(uint32_t count);

  // Lets fiber `index` begin with entry(argument) when it is resumed first.
  void start(uint32_t index, Entry entry, void* argument);

  // By the owner: runs a fiber, and those it yields to, until one suspends itself or ends.
  void resume(uint32_t index);

  // By the fiber that runs: back to the owner, or on to fiber `index`.
  void suspend();
  void yield(uint32_t index);

 private:
  struct Context {
#if FOVEA_SIM_HAND_WRITTEN_SWITCH
    void* stack_pointer = nullptr;
#else
    ucontext_t context;
#endif
    void* fake_stack = nullptr;  // AddressSanitizer's
  };

  static void enter(Fibers* fibers);
  void unmap();
  unsigned char* stack(uint32_t index) const;
  void arrived(void* fake_stack);
  static void exchange(Context& from, Context& to);

  uint32_t capacity_ = 0;
  unsigned char* stacks_ = nullptr;
  std::unique_ptr<Context[]> contexts_;
  Context owner_;
  const void* owner_stack_ = nullptr;
  size_t owner_stack_bytes_ = 0;
  bool from_owner_ = false;
  uint32_t running_ = 0;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
};

}  // namespace fovea::sim
