package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.bench.AttentionProblem.Order;
import java.util.ArrayList;
import java.util.List;

/**
 * The problems of a comparison: about as much memory each, so that long sequences have few heads.
 */
final class AttentionGrid {

  /** Positions times heads. */
  private static final int ROWS = 4096;

  private static final int[] SEQUENCES = {512, 1024, 2048, 4096};
  private static final int[] HEAD_DIMS = {64, 128};

  private AttentionGrid() {}

  /**
   * In float32 everything: sequences, head dims, masks, orders. In the 16-bit types, where peers
   * may take a minute for what takes us a second, BSHD and two threads at one sequence length
   * alone.
   *
   * @param threads of the session
   */
  static List<AttentionProblem> problems(int threads) {
    List<AttentionProblem> problems = new ArrayList<>();
    for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
      for (Order order : Order.values()) {
        for (int headDim : HEAD_DIMS) {
          for (boolean causal : new boolean[] {false, true}) {
            for (int sequence : SEQUENCES) {
              boolean plain = dtype == DType.FLOAT32 || (threads == 1 && order == Order.BHSD);
              if (plain || sequence == 2048) {
                int heads = ROWS / sequence;
                problems.add(new AttentionProblem(dtype, sequence, heads, headDim, causal, order));
              }
            }
          }
        }
      }
    }
    return problems;
  }
}
