package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Frequencies against the formulas of their papers, written out for a few pairs. */
class RotaryFrequenciesTest {

  private static final double ROOM = 1e-15;

  private static void frequencies(RotaryFrequencies got, double... expected) {
    assertEquals(expected.length, got.pairs());
    for (int c = 0; c < expected.length; c++) {
      assertEquals(expected[c], got.frequency(c), ROOM * Math.abs(expected[c]), "pair " + c);
    }
  }

  @Test
  void thoseOfRoFormer() {
    RotaryFrequencies of = RotaryFrequencies.of(8, 10_000);
    frequencies(of, 1, 0.1, 0.01, 0.001);
    assertEquals(1, of.attentionFactor());
    frequencies(of.linear(4), 0.25, 0.025, 0.0025, 0.00025);
  }

  /** The highest frequency stays, the lowest is that of linear interpolation. */
  @Test
  void ntkAware() {
    // 10000 * 8^(4/3) = 160000, whose fourth root is 20
    frequencies(RotaryFrequencies.ntkAware(8, 10_000, 8), 1, 1.0 / 20, 1.0 / 400, 1.0 / 8000);
    frequencies(RotaryFrequencies.ntkAware(8, 10_000, 1), 1, 0.1, 0.01, 0.001);
  }

  /** With a context of 2000 pi pair c turns 1000 / 10^c times. */
  @Test
  void llama3() {
    RotaryFrequencies of = RotaryFrequencies.of(8, 10_000);
    long context = 6283; // 2000 pi and a little less
    double turns = context * 0.01 / (2 * Math.PI); // of pair 2: about 10
    double kept = (turns - 4) / (20 - 4);
    frequencies(
        of.llama3(8, 4, 20, context), 1, 0.1, (1 - kept) * 0.01 / 8 + kept * 0.01, 0.001 / 8);
    assertEquals(1, of.llama3(8, 4, 20, context).attentionFactor());
  }

  /** Numbers of Llama 3.1, by the code of its authors: wavelengths of 2048 and 8192. */
  @Test
  void llama31() {
    RotaryFrequencies scaled = RotaryFrequencies.of(128, 500_000).llama3(8, 1, 4, 8192);
    for (int c = 0; c < 64; c++) {
      double frequency = Math.pow(500_000, -c / 64.0);
      double length = 2 * Math.PI / frequency;
      double expected = frequency;
      if (length > 8192) {
        expected = frequency / 8;
      } else if (length >= 2048) {
        double smooth = (8192 / length - 1) / 3;
        expected = (1 - smooth) * frequency / 8 + smooth * frequency;
      }
      assertEquals(expected, scaled.frequency(c), 1e-14 * expected, "pair " + c);
    }
  }

  /** Of 64 elements, base 10,000 and context 2048, as the code of the authors has it. */
  @Test
  void yarn() {
    RotaryFrequencies scaled = RotaryFrequencies.of(64, 10_000).yarn(16, 2048);
    // The pair that turns n times is 32 ln(2048 / (2 pi n)) / ln(10000): 8.07 for 32, 20.1 for 1.
    int low = 8;
    int high = 21;
    for (int c = 0; c < 32; c++) {
      double frequency = Math.pow(10_000, -c / 32.0);
      double ramp = Math.min(1, Math.max(0, (c - low) / (double) (high - low)));
      double expected = frequency * (1 - ramp) + frequency / 16 * ramp;
      assertEquals(expected, scaled.frequency(c), 1e-14 * expected, "pair " + c);
    }
    assertEquals(0.1 * Math.log(16) + 1, scaled.attentionFactor(), ROOM);
    assertEquals(0.9, scaled.attentionFactor(0.9).attentionFactor());
    frequencies(RotaryFrequencies.of(4, 100).yarn(1, 64), 1, 0.1);
  }

  /** Cosines and sines are those of the frequencies, times the factor, each rounded once. */
  @Test
  void tablesAreOfThem() {
    try (Scope scope = Scope.open()) {
      RotaryFrequencies of = RotaryFrequencies.of(4, 100).yarn(4, 256).attentionFactor(1.5);
      RotaryTables tables = RotaryTables.of(scope, 5, of);
      for (int t = 0; t < 5; t++) {
        for (int c = 0; c < 2; c++) {
          double angle = t * of.frequency(c);
          assertEquals((float) (1.5 * Math.cos(angle)), tables.cosines().getFloat(t, c));
          assertEquals((float) (1.5 * Math.sin(angle)), tables.sines().getFloat(t, c));
        }
      }
      assertEquals(
          RotaryTables.of(scope, 5, 4, 100).sines().getFloat(3, 1),
          RotaryTables.of(scope, 5, RotaryFrequencies.of(4, 100)).sines().getFloat(3, 1));
      refused("positions is -1, expected 0 or more", () -> RotaryTables.of(scope, -1, of));
    }
  }

  @Test
  void equalByWhatTheyAre() {
    RotaryFrequencies of = RotaryFrequencies.of(8, 10_000);
    assertEquals(of, RotaryFrequencies.of(8, 10_000));
    assertEquals(of.hashCode(), RotaryFrequencies.of(8, 10_000).hashCode());
    assertNotEquals(of, of.linear(2));
    assertNotEquals(of, of.attentionFactor(2));
    assertEquals("RotaryFrequencies[4 from 1.0 to 0.001, attention factor 1.0]", of.toString());
  }

  private static void refused(String why, Executable what) {
    assertEquals(why, assertThrows(IllegalArgumentException.class, what).getMessage());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    RotaryFrequencies of = RotaryFrequencies.of(8, 10_000);
    refused("rotaryDim is 5, expected an even number from 2 on", () -> RotaryFrequencies.of(5, 10));
    refused("base is -1.0, expected a number above 0", () -> RotaryFrequencies.of(4, -1));
    refused("factor is 0.5, expected 1 or more", () -> of.linear(0.5));
    refused("factor is NaN, expected 1 or more", () -> of.linear(Double.NaN));
    refused(
        "rotaryDim is 2, expected 4 or more: the highest frequency stays",
        () -> RotaryFrequencies.ntkAware(2, 10, 2));
    refused("high is 1.0, expected a number above 1.0", () -> of.llama3(8, 1, 1, 8192));
    refused("low is 0.0, expected a number above 0", () -> of.llama3(8, 0, 1, 8192));
    refused("context is 0.0, expected 1 or more", () -> of.llama3(8, 1, 4, 0));
    refused("many is 1.0, expected a number above 1.0", () -> of.yarn(8, 100, 1, 1));
    refused(
        "base is 1.0, expected a number above 1.0", () -> RotaryFrequencies.of(4, 1).yarn(8, 100));
    refused("scale is 0.0, expected a number above 0", () -> of.attentionFactor(0));
  }
}
