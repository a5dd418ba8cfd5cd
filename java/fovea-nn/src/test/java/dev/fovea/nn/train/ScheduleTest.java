package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ScheduleTest {
  private static final double HAIR = 1e-15;

  private static void assertFalling(Schedule schedule, int from, int to) {
    for (int step = from + 1; step <= to; step++) {
      assertTrue(schedule.rate(step) <= schedule.rate(step - 1), "step " + step);
    }
  }

  @Test
  void aConstantStays() {
    Schedule schedule = Schedule.constant(0.3);
    for (int step : new int[] {0, 1, 2, 1000, Integer.MAX_VALUE}) {
      assertEquals(0.3, schedule.rate(step));
    }
    assertEquals(0, Schedule.constant(0).rate(1));
  }

  @Test
  void aCosineFallsAlongHalfAWave() {
    Schedule schedule = Schedule.cosine(0.9, 0.1, 60);
    assertEquals(0.9, schedule.rate(0), HAIR);
    assertEquals(0.1 + 0.8 * (1 + Math.sqrt(3) / 2) / 2, schedule.rate(10), HAIR);
    assertEquals(0.7, schedule.rate(20), HAIR);
    assertEquals(0.5, schedule.rate(30), HAIR);
    assertEquals(0.3, schedule.rate(40), HAIR);
    assertFalling(schedule, 0, 70);
  }

  @Test
  void aLineFallsStraight() {
    Schedule schedule = Schedule.linear(0.9, 0.1, 8);
    for (int step = 0; step <= 8; step++) {
      assertEquals(0.9 - 0.1 * step, schedule.rate(step), HAIR);
    }
    assertFalling(schedule, 0, 12);
  }

  @Test
  void whatFallsEndsAtTheLowestAndStaysThere() {
    Random random = new Random(1);
    for (int n = 0; n < 1000; n++) {
      double highest = Math.pow(10, -3 * random.nextDouble());
      double lowest = n % 5 == 0 ? 0 : highest * Math.pow(10, -9 * random.nextDouble());
      int steps = 1 + random.nextInt(1_000_000);
      for (Schedule schedule :
          List.of(
              Schedule.cosine(highest, lowest, steps), Schedule.linear(highest, lowest, steps))) {
        String which = "%d: %s to %s in %d steps".formatted(n, highest, lowest, steps);
        assertEquals(highest, schedule.rate(0), highest * HAIR, which);
        assertTrue(schedule.rate(steps - 1) >= lowest, which);
        for (int step : new int[] {steps, steps + 1, 2 * steps, Integer.MAX_VALUE}) {
          assertEquals(lowest, schedule.rate(step), which);
        }
      }
    }
  }

  @Test
  void anInverseSquareRootBeginsWhereItIsTold() {
    Schedule schedule = Schedule.inverseSquareRoot(0.5, 100);
    for (int step : new int[] {0, 1, 99, 100}) {
      assertEquals(0.5, schedule.rate(step));
    }
    assertEquals(0.25, schedule.rate(400), HAIR);
    assertEquals(0.05, schedule.rate(10_000), HAIR);
    assertFalling(schedule, 0, 1000);
    assertTrue(schedule.rate(Integer.MAX_VALUE) > 0);
  }

  /** Equation 3 of arXiv 1706.03762. */
  @Test
  void warmedUpItIsThatOfTheTransformer() {
    int width = 512;
    int warmUp = 4000;
    Schedule schedule =
        Schedule.inverseSquareRoot(1 / Math.sqrt((double) width * warmUp), warmUp).warmUp(warmUp);
    for (int step : new int[] {1, 2, 1999, 3999, 4000, 4001, 50_000, 1_000_000}) {
      double expected =
          Math.pow(width, -0.5) * Math.min(Math.pow(step, -0.5), step * Math.pow(warmUp, -1.5));
      assertEquals(expected, schedule.rate(step), 1e-12 * expected, "step " + step);
    }
  }

  @Test
  void warmingUpMultipliesOnlyTheFirstSteps() {
    Schedule plain = Schedule.linear(1, 0.5, 100);
    Schedule warm = plain.warmUp(10);
    assertEquals(0, warm.rate(0));
    assertEquals(plain.rate(1) / 10, warm.rate(1), HAIR);
    assertEquals(plain.rate(5) / 2, warm.rate(5), HAIR);
    for (int step = 10; step < 120; step++) {
      assertEquals(plain.rate(step), warm.rate(step));
    }
    for (int step = 1; step < 10; step++) {
      assertTrue(warm.rate(step) > warm.rate(step - 1), "step " + step);
    }
    assertEquals(plain.rate(1), plain.warmUp(1).rate(1));
    assertEquals(0.125, step(Schedule.constant(0.5).warmUp(2_000_000_000), 500_000_000), HAIR);
  }

  private static double step(Schedule schedule, int step) {
    double rate = schedule.rate(step);
    assertEquals(rate, schedule.rate(step), "the same step has the same rate");
    return rate;
  }

  private static void assertRefused(String why, Executable call) {
    assertEquals(why, assertThrows(IllegalArgumentException.class, call).getMessage());
  }

  @Test
  void whatIsNoRateIsRefused() {
    for (double wrong : new double[] {-1e-9, Double.NaN, Double.POSITIVE_INFINITY}) {
      String why = "a rate is " + wrong + ", expected a number of 0 or more";
      assertRefused(why, () -> Schedule.constant(wrong));
      assertRefused(why, () -> Schedule.cosine(wrong, 0, 1));
      assertRefused(why, () -> Schedule.cosine(1, wrong, 1));
      assertRefused(why, () -> Schedule.linear(wrong, 0, 1));
      assertRefused(why, () -> Schedule.linear(1, wrong, 1));
      assertRefused(why, () -> Schedule.inverseSquareRoot(wrong, 1));
    }
  }

  @Test
  void noStepsAreRefused() {
    for (int wrong : new int[] {0, -1, Integer.MIN_VALUE}) {
      String why = " is " + wrong + ", expected at least 1";
      assertRefused("steps" + why, () -> Schedule.cosine(1, 0, wrong));
      assertRefused("steps" + why, () -> Schedule.linear(1, 0, wrong));
      assertRefused("from" + why, () -> Schedule.inverseSquareRoot(1, wrong));
      assertRefused("steps" + why, () -> Schedule.constant(1).warmUp(wrong));
    }
  }
}
