package dev.fovea.cli.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Device;
import dev.fovea.cli.train.Trainer.Score;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TrainerTest {

  private static final Transformer.Sizes SMALL = new Transformer.Sizes(8, 8, 32, 2, 64, 2);
  private static final int BATCH = 16;

  /** Without attention 0.45 is the best there is. Seeds 1 to 5 come to 0.996 and more. */
  @Test
  void learnsToSort() {
    int steps = 400;
    try (Trainer trainer = new Trainer(Device.cpu(), SMALL, BATCH, steps, 1)) {
      assertTrue(trainer.step().accuracy() < 0.3);
      for (int step = 1; step < steps; step++) {
        trainer.step();
      }
      Score score = trainer.evaluate(50);
      assertTrue(score.accuracy() > 0.98, "seed 1: " + score);
      assertTrue(score.loss() < 0.1, "seed 1: " + score);
      int[] sorted = trainer.sequence();
      java.util.Arrays.sort(sorted);
      int right = 0;
      for (int i = 0; i < sorted.length; i++) {
        right += trainer.answer()[i] == sorted[i] ? 1 : 0;
      }
      assertTrue(right >= 7, "seed 1: " + right);
    }
  }

  @Test
  void theSameSeedGivesTheSameLosses() {
    List<Score> scores = scores(7);
    assertEquals(scores, scores(7));
    assertNotEquals(scores, scores(8));
  }

  private static List<Score> scores(long seed) {
    try (Trainer trainer = new Trainer(Device.cpu(), SMALL, BATCH, 20, seed)) {
      return Stream.generate(trainer::step).limit(20).toList();
    }
  }

  @Test
  void sequencesAreSortedOneByOne() {
    SortingTask task = new SortingTask(3, 4, 50);
    task.draw(new SplittableRandom(1));
    for (int i = 0; i < 200; i++) {
      assertTrue(i % 4 == 0 || task.sorted()[i - 1] <= task.sorted()[i]);
    }
    for (int from = 0; from < 200; from += 4) {
      assertEquals(sum(task.tokens(), from), sum(task.sorted(), from));
    }
  }

  private static int sum(int[] tokens, int from) {
    return java.util.Arrays.stream(tokens, from, from + 4).sum();
  }
}
