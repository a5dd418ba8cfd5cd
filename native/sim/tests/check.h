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

[[noreturn]] inline void stop(sim::Where where, const std::string& message) {
  std::fprintf(stderr, "%s:%u: %s\n", where.file_name(), where.line(), message.c_str());
  std::exit(1);
}

#define TEST(name)                                                          \
  static void test_##name();                                                \
  static const ::fovea::test::Register register_##name{#name, test_##name}; \
  static void test_##name()

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    ++::fovea::test::checks;                                                                       \
    if (!(condition)) ::fovea::test::stop(::fovea::sim::Where::current(), "expected " #condition); \
  } while (false)

#define CHECK_EQUAL(actual, expected)                                  \
  do {                                                                 \
    ++::fovea::test::checks;                                           \
    const auto actual_ = (actual);                                     \
    const decltype(actual_) expected_ = (expected);                    \
    if (!(actual_ == expected_)) {                                     \
      std::ostringstream text;                                         \
      text << #actual " is " << actual_ << ", expected " << expected_; \
      ::fovea::test::stop(::fovea::sim::Where::current(), text.str()); \
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
void run(sim::Launch launch, Body body, Check check, sim::Where where = sim::Where::current()) {
  for (const sim::Options& options : schedules()) {
    launch.options = options;
    try {
      sim::launch(launch, body);
    } catch (const sim::Error& error) {
      stop(where, name(options) + ": " + error.what());
    }
    check();
  }
}

// Whether one of the alternatives "this|that" is in the text.
inline bool contains(const std::string& text, const std::string& alternatives) {
  std::istringstream all(alternatives);
  for (std::string one; std::getline(all, one, '|');) {
    if (text.find(one) != std::string::npos) return true;
  }
  return false;
}

// The launch must fail under every schedule, with a message that has all of `parts` in it.
// A function, since all lines of a macro's arguments count as one.
template <typename Body>
void expect_error(sim::Launch launch, std::initializer_list<std::string> parts, Body body,
                  sim::Where where = sim::Where::current()) {
  for (const sim::Options& options : schedules()) {
    launch.options = options;
    std::string message;
    try {
      sim::launch(launch, body);
    } catch (const sim::Error& error) {
      message = error.what();
    }
    if (message.empty()) stop(where, name(options) + ": no error");
    std::vector<std::string> all = {std::string(launch.kernel) + ", block "};
    all.insert(all.end(), parts);
    for (const std::string& part : all) {
      ++checks;
      if (!contains(message, part)) {
        stop(where, name(options) + ": \"" + message + "\" lacks \"" + part + "\"");
      }
    }
  }
}

}  // namespace fovea::test
