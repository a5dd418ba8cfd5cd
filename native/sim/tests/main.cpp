// fovea_sim_test: runs every test; the first that fails ends it.

#include "sim/tests/check.h"

namespace fovea::test {

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
long checks = 0;

}  // namespace fovea::test

int main() {
  for (const fovea::test::Test& test : fovea::test::tests()) test.run();
  std::printf("simulator: %zu tests, %ld checks, all passed\n", fovea::test::tests().size(),
              fovea::test::checks);
  return 0;
}
