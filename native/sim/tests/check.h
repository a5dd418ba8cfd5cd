// Checks that end the program with the place and the reason, and tests that register themselves.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include "sim/sim.h"

namespace fovea::test {

struct Test {
  const char* name;
  void (*run)();
};
std::vector<Test>& tests();
extern long checks;

struct Register {
  Register(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

[[noreturn]] inline void stop(const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
  std::exit(1);
}

#define TEST(name)                                                          \
  static void test_##name();                                                \
  static const ::fovea::test::Register register_##name{#name, test_##name}; \
  static void test_##name()

#define CHECK(condition)                                                               \
  do {                                                                                 \
    ++::fovea::test::checks;                                                           \
    if (!(condition)) ::fovea::test::stop(__FILE__, __LINE__, "expected " #condition); \
  } while (false)

#define CHECK_EQUAL(actual, expected)                                  \
  do {                                                                 \
    ++::fovea::test::checks;                                           \
    const auto actual_ = (actual);                                     \
    const decltype(actual_) expected_ = (expected);                    \
    if (!(actual_ == expected_)) {                                     \
      std::ostringstream text;                                         \
      text << #actual " is " << actual_ << ", expected " << expected_; \
      ::fovea::test::stop(__FILE__, __LINE__, text.str());             \
    }                                                                  \
  } while (false)

// Every way in which the simulator orders what the hardware leaves open.
inline std::vector<sim::Options> schedules() {
  std::vector<sim::Options> all = {{sim::Schedule::kEager, 0}, {sim::Schedule::kLazy, 0}};
  for (uint64_t seed = 1; seed <= 6; ++seed) all.push_back({sim::Schedule::kRandom, seed});
  return all;
}

inline std::string name(const sim::Options& options) {
  if (options.schedule == sim::Schedule::kEager) return "eager";
  if (options.schedule == sim::Schedule::kLazy) return "lazy";
  return "random:" + std::to_string(options.seed);
}

template <typename T>
sim::Extent input(const std::vector<T>& data, const char* name) {
  return {data.data(), data.size() * sizeof(T), false, name};
}

template <typename T>
sim::Extent output(std::vector<T>& data, const char* name) {
  return {data.data(), data.size() * sizeof(T), true, name};
}

// Launches under every schedule; `check` sees what each has left.
template <typename Body, typename Check>
void run(sim::Launch launch, Body body, Check check) {
  for (const sim::Options& options : schedules()) {
    launch.options = options;
    try {
      sim::launch(launch, body);
    } catch (const sim::Error& error) {
      stop(__FILE__, __LINE__, name(options) + ": " + error.what());
    }
    check();
  }
}

// The launch must fail under every schedule, with a message that has all of `parts` in it.
template <typename Body>
void expect_error(const char* file, int line, sim::Launch launch,
                  std::initializer_list<std::string> parts, Body body) {
  for (const sim::Options& options : schedules()) {
    launch.options = options;
    std::string message;
    try {
      sim::launch(launch, body);
    } catch (const sim::Error& error) {
      message = error.what();
    }
    if (message.empty()) stop(file, line, name(options) + ": no error");
    std::vector<std::string> all = {std::string(launch.kernel) + ", block "};
    all.insert(all.end(), parts);
    for (const std::string& part : all) {
      ++checks;
      if (message.find(part) == std::string::npos) {
        stop(file, line, name(options) + ": \"" + message + "\" lacks \"" + part + "\"");
      }
    }
  }
}

#define EXPECT_ERROR(...) ::fovea::test::expect_error(__FILE__, __LINE__, __VA_ARGS__)

}  // namespace fovea::test
