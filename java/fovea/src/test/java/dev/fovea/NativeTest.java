package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.report.LoadReport;

/**
 * For tests that need the CPU library. The build makes it before: that it is absent is a failure.
 */
final class NativeTest {
  private NativeTest() {}

  static void requireLibrary() {
    LoadReport report = CpuBackend.loadReport();
    assertTrue(report.library().isPresent(), report::toString);
  }
}
