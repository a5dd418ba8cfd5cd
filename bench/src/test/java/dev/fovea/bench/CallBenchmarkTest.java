package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class CallBenchmarkTest {

  @Test
  void bothWaysRun() {
    CallBenchmark benchmark = new CallBenchmark();
    benchmark.setUp(); // verifies both
    try {
      assertEquals(0, benchmark.bareDowncall());
      benchmark.attentionCall();
    } finally {
      benchmark.tearDown();
    }
  }
}
