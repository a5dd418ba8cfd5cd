#include "sim/fiber.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace fovea::sim {
namespace {

constexpr size_t kPage = 4096;
// Kernels need a few KB, unoptimised and sanitized ones ten times as much. Only touched pages cost.
constexpr size_t kStack = 256 << 10;
constexpr size_t kStride = kStack + kPage;  // the guard page lies below its stack

#if defined(__SANITIZE_ADDRESS__)
void leave(void** fake_stack, const void* stack, size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
}
void arrive(void* fake_stack, const void** from, size_t* bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, from, bytes);
}
#else
void leave(void**, const void*, size_t) {}
void arrive(void*, const void**, size_t*) {}
#endif

}  // namespace

#if FOVEA_SIM_HAND_WRITTEN_SWITCH
// Saves what a function must preserve, and changes stacks: 2.3 times faster than swapcontext, which
// asks the kernel for the signal mask. The control words of the FPU are left as they are.
extern "C" void fovea_sim_switch(void** save, void* load);
extern "C" void fovea_sim_enter();
asm(R"(
  .text
  .hidden fovea_sim_switch
  .globl fovea_sim_switch
  .type fovea_sim_switch, @function
fovea_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size fovea_sim_switch, . - fovea_sim_switch

  .hidden fovea_sim_enter
  .globl fovea_sim_enter
  .type fovea_sim_enter, @function
fovea_sim_enter:
  movq %rbx, %rdi
  jmp *%r12
  .size fovea_sim_enter, . - fovea_sim_enter
)");
#endif

Fibers::~Fibers() { unmap(); }

void Fibers::unmap() {
  if (stacks_ == nullptr) return;
  munmap(stacks_, capacity_ * kStride);
  stacks_ = nullptr;
  capacity_ = 0;
}

unsigned char* Fibers::stack(uint32_t index) const { return stacks_ + index * kStride + kPage; }

void Fibers::reserve(uint32_t count) {
  if (count <= capacity_) return;
  unmap();
  contexts_ = std::make_unique<Context[]>(count);
  void* const mapping = mmap(nullptr, count * kStride, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  stacks_ = static_cast<unsigned char*>(mapping);
  capacity_ = count;
  for (uint32_t i = 0; i < count; ++i) {
    if (mprotect(stacks_ + i * kStride, kPage, PROT_NONE) != 0) {
      unmap();
      throw std::bad_alloc();
    }
  }
}

void Fibers::start(uint32_t index, Entry entry, void* argument) {
  entry_ = entry;
  argument_ = argument;
  Context& context = contexts_[index];
  context.fake_stack = nullptr;
  // Fibers of a warp stand at the same place of the same function. Without an offset their frames
  // would all fall into the same sets of the cache: a shuffle took a third longer.
  const size_t bytes = kStack - index % 61 * 64;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack(index), kStack);
#endif
#if FOVEA_SIM_HAND_WRITTEN_SWITCH
  struct Frame {
    void *r15, *r14, *r13;
    void (*r12)(Fibers*);
    Fibers* rbx;
    void* rbp;
    void (*start)();
    void* return_address;  // none: here ends a backtrace
  };
  static_assert(sizeof(Frame) == 64);
  Frame* const frame = reinterpret_cast<Frame*>(stack(index) + bytes - sizeof(Frame));
  *frame = {nullptr, nullptr, nullptr, enter, this, nullptr, fovea_sim_enter, nullptr};
  context.stack_pointer = frame;
#else
  getcontext(&context.context);
  context.context.uc_stack.ss_sp = stack(index);
  context.context.uc_stack.ss_size = bytes;
  context.context.uc_link = nullptr;
  // makecontext passes ints: an address goes as two.
  const uint64_t self = reinterpret_cast<uintptr_t>(this);
  void (*const halves)(uint32_t, uint32_t) = [](uint32_t low, uint32_t high) {
    enter(reinterpret_cast<Fibers*>(uintptr_t{high} << 32 | low));
  };
  makecontext(&context.context, reinterpret_cast<void (*)()>(halves), 2, uint32_t(self),
              uint32_t(self >> 32));
#endif
}

// On a fiber's stack, which may be the first that learns where the owner's is.
void Fibers::arrived(void* fake_stack) {
  const void* stack = nullptr;
  size_t bytes = 0;
  arrive(fake_stack, &stack, &bytes);
  if (!from_owner_) return;
  owner_stack_ = stack;
  owner_stack_bytes_ = bytes;
  from_owner_ = false;
}

void Fibers::enter(Fibers* fibers) {
  fibers->arrived(nullptr);
  fibers->entry_(fibers->argument_);
  // No fake stack to come back to: the sanitizer frees it.
  leave(nullptr, fibers->owner_stack_, fibers->owner_stack_bytes_);
  exchange(fibers->contexts_[fibers->running_], fibers->owner_);
  __builtin_unreachable();
}

void Fibers::resume(uint32_t index) {
  running_ = index;
  from_owner_ = true;
  leave(&owner_.fake_stack, stack(index), kStack);
  exchange(owner_, contexts_[index]);
  arrive(owner_.fake_stack, nullptr, nullptr);
}

void Fibers::suspend() {
  Context& context = contexts_[running_];
  leave(&context.fake_stack, owner_stack_, owner_stack_bytes_);
  exchange(context, owner_);
  arrived(context.fake_stack);
}

// Fibers of a warp wait in the same calls. Going from one straight to the next, returns go where
// the processor predicts them to: half the time of going by way of the owner.
void Fibers::yield(uint32_t index) {
  Context& context = contexts_[running_];
  running_ = index;
  leave(&context.fake_stack, stack(index), kStack);
  exchange(context, contexts_[index]);
  arrived(context.fake_stack);
}

void Fibers::exchange(Context& from, Context& to) {
#if FOVEA_SIM_HAND_WRITTEN_SWITCH
  fovea_sim_switch(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.context, &to.context);
#endif
}

}  // namespace fovea::sim
