package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class CeilingTest {

  private final Ceiling ceiling = new Ceiling(MachineUnit.FLOP);

  @Test
  void refusesWhatNoCoreCanDo() {
    ImpossibleFigureException refusal =
        assertThrows(ImpossibleFigureException.class, () -> ceiling.check("zeros", 1957e12, 2, 1));
    assertTrue(refusal.getMessage().startsWith("zeros: 1957000.0 GFLOP/s"), refusal.getMessage());
    assertThrows(ImpossibleFigureException.class, () -> ceiling.check("nothing", Double.NaN, 1, 1));
  }

  @Test
  void looksAgainBeforeItRefuses() {
    ceiling.saw(1); // a peak held down by neighbours
    ceiling.check("slow", 1e6, 1, 1);
    assertTrue(ceiling.peak() > 1e6, "measured again: " + ceiling.peak());
  }

  @Test
  void coresAndUnitsRaiseTheBound() {
    ceiling.saw(1e30);
    ceiling.check("two cores", 2e30, 2, 1);
    ceiling.check("16-bit unit", 15e30, 1, 16);
    assertThrows(ImpossibleFigureException.class, () -> ceiling.check("one", 1.2e30, 1, 1));
  }
}
