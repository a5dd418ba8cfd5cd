package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MachineUnitTest {

  private static double perSecond(MachineUnit unit) {
    Ceiling ceiling = new Ceiling(unit);
    ceiling.measure();
    return ceiling.peak();
  }

  @Test
  void clocksAreOfThisCentury() {
    double cycles = perSecond(MachineUnit.CYCLE);
    assertTrue(cycles > 0.8e9 && cycles < 8e9, "cycles a second: " + cycles);
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOP", "DIVISION"})
  void noUnitDoesMoreThanItsVectorsHold(MachineUnit unit) {
    double cycles = perSecond(MachineUnit.CYCLE);
    // Neighbours may have held down the clock, but not by half all the time.
    double most = unit == MachineUnit.FLOP ? 2 * 2 * 16 : 16;
    double aCycle = perSecond(unit) / cycles;
    assertTrue(aCycle > 0 && aCycle < 2 * most, unit.text() + " a cycle: " + aCycle);
  }
}
