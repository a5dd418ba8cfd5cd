// fovea_sim_test: runs every test; the first that fails ends it. With --cost, measures instead.

#include <cstring>

#include "sim/tests/check.h"

namespace fovea::test {

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
long checks = 0;
void print_costs();

}  // namespace fovea::test

int main(int count, char** arguments) {
  if (count == 2 && std::strcmp(arguments[1], "--cost") == 0) {
    fovea::test::print_costs();
    return 0;
  }
  for (const fovea::test::Test& test : fovea::test::tests()) test.run();
  std::printf("simulator: %zu tests, %ld checks, all passed\n", fovea::test::tests().size(),
              fovea::test::checks);
  return 0;
}
