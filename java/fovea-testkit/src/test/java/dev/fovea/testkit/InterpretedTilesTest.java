package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.Device;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The tier amx of a library that interprets the instructions of tiles: on machines that lack them,
 * and with the same bits on those that have them.
 */
class InterpretedTilesTest {

  private static final String TIER = "cpu:amx";
  private static final long CASES = 80;

  @ParameterizedTest
  @EnumSource(Pass.class)
  void tilesAreWhatTheyAreInterpretedAs(Pass pass) {
    Path library =
        Path.of(System.getProperty("fovea.native.sim.path"))
            .resolveSibling("libfovea_cpu_interpreted.so");
    assumeTrue(Files.exists(library), "there is no such tier for this processor");
    assumeTrue(has("cpu:avx512_bf16"), "the tier has vectors, too, which are not interpreted");
    List<String> program = new ArrayList<>(ChildProcess.program());
    program.addFirst("-Dfovea.native.cpu.path=" + library);
    CheckOptions options = CheckOptions.of(TIER).withPass(pass).withCases(CASES);
    CheckReport report = CheckRunner.run(options, program);
    assertEquals(CASES, report.passed(), report::toString);
    assertTrue(report.kernels().keySet().stream().anyMatch(kernel -> kernel.contains("_amx_")));
    if (has(TIER)) {
      assertEquals(CheckRunner.run(options).bits(), report.bits());
    }
  }

  private static boolean has(String tier) {
    try {
      return Device.byName(tier).name().equals(tier);
    } catch (UnsupportedOperationException absent) {
      return false;
    }
  }
}
