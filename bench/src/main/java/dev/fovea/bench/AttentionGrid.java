package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.testkit.Pass;
import java.util.ArrayList;
import java.util.List;

/**
 * The problems of a comparison: about as much memory each, so that long sequences have few heads.
 */
final class AttentionGrid {

  /** Positions times heads. */
  private static final int ROWS = 4096;

  private static final int[] SEQUENCES = {512, 1024, 2048, 4096};

  /** The length at which there is every kind of problem. */
  private static final int COMMON = 2048;

  private static final int[] HEAD_DIMS = {64, 128};

  private AttentionGrid() {}

  /**
   * In float32 everything: sequences, head dims, masks, orders. In the 16-bit types, where peers
   * may take a minute for what takes us a second, BSHD and two threads at one sequence length
   * alone. The backward pass has that length alone on two threads and in 16-bit types, and in those
   * BHSD and one thread alone.
   *
   * @param threads of the session
   */
  static List<AttentionProblem> problems(Pass pass, int threads) {
    List<AttentionProblem> problems = new ArrayList<>();
    for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
      for (Order order : Order.values()) {
        for (int headDim : HEAD_DIMS) {
          for (boolean causal : new boolean[] {false, true}) {
            for (int sequence : SEQUENCES) {
              if (isMeasured(pass, dtype, order, sequence, threads)) {
                int heads = ROWS / sequence;
                problems.add(
                    new AttentionProblem(pass, dtype, sequence, heads, headDim, causal, order));
              }
            }
          }
        }
      }
    }
    return problems;
  }

  private static boolean isMeasured(
      Pass pass, DType dtype, Order order, int sequence, int threads) {
    boolean float32 = dtype == DType.FLOAT32;
    boolean plain = order == Order.BHSD && threads == 1;
    boolean common = sequence == COMMON;
    return switch (pass) {
      case FORWARD -> float32 || plain || common;
      case BACKWARD -> float32 ? threads == 1 || common : plain && common;
    };
  }
}
