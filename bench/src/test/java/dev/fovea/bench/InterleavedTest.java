package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.bench.Interleaved.Contestant;
import dev.fovea.bench.Interleaved.Settings;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class InterleavedTest {

  private final List<String> log = new ArrayList<>();
  private long nanos; // the clock, which only contestants move

  private Contestant contestant(String name, long millis) {
    return new Contestant(
        name,
        () -> {
          log.add(name);
          nanos += millis * 1_000_000 + 1_000;
        });
  }

  private Rounds run(List<Contestant> contestants, Settings settings) throws Exception {
    return Interleaved.run(contestants, settings, () -> nanos);
  }

  @Test
  void takesTurnsAndRotatesWhoBegins() throws Exception {
    Rounds rounds =
        run(
            List.of(contestant("a", 0), contestant("b", 0), contestant("c", 0)),
            new Settings(3, 0, 1e9));
    assertEquals(List.of("a", "b", "c"), log.subList(0, 3), "first, to know how long it takes");
    assertEquals(List.of("a", "b", "c", "b", "c", "a", "c", "a", "b"), log.subList(3, log.size()));
    assertEquals(3, rounds.count("b"));
  }

  @Test
  void repeatsShortWorkUntilItFillsItsTurn() throws Exception {
    run(List.of(contestant("a", 1)), new Settings(1, 0.2, 1e9));
    assertEquals(202, log.size(), "two to know how long it takes, then 0.2 s of 1.001 ms");
  }

  @Test
  void slowContestantSitsOutRounds() throws Exception {
    Rounds rounds =
        run(List.of(contestant("fast", 0), contestant("slow", 20)), new Settings(9, 0, 0.07));
    assertEquals(9, rounds.count("fast"));
    assertEquals(3, rounds.count("slow"), "180 ms in a budget of 70");
    assertEquals(20_001, rounds.timesFaster("fast", "slow"), 1e-6);
  }

  @Test
  void ratioIsTheMedianOfRatiosNotTheRatioOfMedians() {
    double nan = Double.NaN;
    Rounds rounds =
        new Rounds(
            List.of("ours", "theirs"),
            List.of(new double[] {1, 2, 4, 8, 1}, new double[] {2, 6, 4, 16, nan}));
    assertEquals(2, rounds.timesFaster("ours", "theirs"));
    assertEquals(2, rounds.median("ours"));
    assertEquals(5, rounds.median("theirs"));
    assertEquals(1, rounds.fastest("ours"));
    assertEquals(4, rounds.count("theirs"));
    assertEquals(1.75, rounds.quartiles("ours", "theirs")[0]);
    assertEquals(2.25, rounds.quartiles("ours", "theirs")[1]);
    assertThrows(IllegalArgumentException.class, () -> rounds.median("nobody"));
  }

  @Test
  void aFailureIsNotSwallowed() {
    Contestant broken =
        new Contestant(
            "broken",
            () -> {
              throw new WrongOutputException("no");
            });
    assertThrows(
        WrongOutputException.class, () -> Interleaved.run(List.of(broken), new Settings(1, 0, 1)));
  }
}
