package dev.fovea.cli.demo;

import ai.onnxruntime.OrtException;
import dev.fovea.cli.bench.Medians;
import dev.fovea.encoder.Encoder;
import java.util.ArrayList;
import java.util.List;

/** The encoder beside ONNX Runtime: do they agree, and who is faster. */
public final class OnnxComparison {

  /** ONNX Runtime's idle workers spin for a while: they must not be counted against the next. */
  private static final long QUIET_MILLIS = 80;

  /** Runs of ours before timing, for the compiler. */
  private static final int WARM_UPS = 4;

  /**
   * How well embeddings agree, over a number of texts.
   *
   * @param texts compared
   * @param minCosine smallest cosine between the two embeddings of a text
   * @param maxAbsDiff largest difference of two values
   */
  public record Agreement(int texts, double minCosine, double maxAbsDiff) {

    /** True if the differences are of the size that other orders of summation make. */
    public boolean good() {
      return minCosine >= 0.99999 && maxAbsDiff <= 2e-5;
    }
  }

  /**
   * Speeds in sentences a second: medians over the rounds. Ratios are medians of each round's
   * ratio.
   *
   * @param threads given to each side
   * @param fovea ours
   * @param padded ONNX Runtime, the whole batch padded to its longest
   * @param oneByOne ONNX Runtime, one sentence after the other
   * @param sideBySide ONNX Runtime, a sentence for each thread; with one thread as one by one
   * @param timesPadded how many times faster ours is than padded
   * @param timesOneByOne how many times faster ours is than one by one
   * @param timesSideBySide how many times faster ours is than side by side
   */
  public record Speed(
      int threads,
      double fovea,
      double padded,
      double oneByOne,
      double sideBySide,
      double timesPadded,
      double timesOneByOne,
      double timesSideBySide) {}

  private OnnxComparison() {}

  /** Embeds {@code sentences} both ways. */
  public static Agreement agreement(Encoder encoder, OnnxRuntime peer, List<int[]> sentences)
      throws OrtException {
    float[][] ours = encoder.embedTokens(sentences, 1);
    float[][] theirs = peer.embedOneByOne(sentences);
    double minCosine = 1;
    double maxAbsDiff = 0;
    for (int i = 0; i < ours.length; i++) {
      double product = 0;
      double squares = 0;
      double theirSquares = 0;
      for (int d = 0; d < ours[i].length; d++) {
        double a = ours[i][d];
        double b = theirs[i][d];
        product += a * b;
        squares += a * a;
        theirSquares += b * b;
        maxAbsDiff = Math.max(maxAbsDiff, Math.abs(a - b)); // NaN wins
      }
      minCosine = Math.min(minCosine, product / Math.sqrt(squares * theirSquares));
    }
    return new Agreement(ours.length, minCosine, maxAbsDiff);
  }

  /** Times both sides in turn, {@code rounds} times. */
  public static Speed speed(
      Encoder encoder, OnnxRuntime peer, List<int[]> sentences, int threads, int rounds)
      throws OrtException, InterruptedException {
    for (int i = 0; i < WARM_UPS; i++) {
      encoder.embedTokens(sentences, threads);
    }
    peer.embedOneByOne(sentences);
    peer.embedSideBySide(sentences);
    List<double[]> seconds = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      double fovea = seconds(() -> encoder.embedTokens(sentences, threads));
      double padded = seconds(() -> peer.embedPadded(sentences));
      double oneByOne = seconds(() -> peer.embedOneByOne(sentences));
      double sideBySide = threads == 1 ? oneByOne : seconds(() -> peer.embedSideBySide(sentences));
      seconds.add(
          new double[] {
            fovea,
            padded,
            oneByOne,
            sideBySide,
            padded / fovea,
            oneByOne / fovea,
            sideBySide / fovea
          });
    }
    int count = sentences.size();
    return new Speed(
        threads,
        count / Medians.of(seconds, 0),
        count / Medians.of(seconds, 1),
        count / Medians.of(seconds, 2),
        count / Medians.of(seconds, 3),
        Medians.of(seconds, 4),
        Medians.of(seconds, 5),
        Medians.of(seconds, 6));
  }

  private interface Work {
    void run() throws OrtException;
  }

  private static double seconds(Work work) throws OrtException, InterruptedException {
    Thread.sleep(QUIET_MILLIS);
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) * 1e-9;
  }
}
