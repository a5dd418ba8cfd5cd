package dev.fovea.testkit;

import dev.fovea.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;

/**
 * The largest weights of rows and their keys: held, bit by bit, to all the weights that the same
 * run wrote, which the oracle holds.
 */
public final class TopWeights {

  /** An output: its raw bits. */
  public record Output(int[] bits, Layout layout) {
    /** Reads one. */
    public static Output of(MemorySegment memory, Layout layout) {
      return new Output(Rounding.bits(memory, DType.FLOAT32, layout.elements()), layout);
    }

    private float weight(int row, int k) {
      return Float.intBitsToFloat(bits[row + k]);
    }

    private int count() {
      return (int) layout.size()[3];
    }
  }

  private TopWeights() {}

  /** What the oracle knows of such an output: which elements are written. */
  public static Expected written(Layout layout) {
    Expected expected = new Expected(DType.FLOAT32, layout.elements());
    long[] size = layout.size();
    for (int a = 0; a < size[0]; a++) {
      for (int b = 0; b < size[1]; b++) {
        for (int c = 0; c < size[2]; c++) {
          int row = row(layout, a, b, c);
          expected.set(row, row + (int) size[3], Expected.FREE);
        }
      }
    }
    return expected;
  }

  /** What is wrong with the largest of {@code all} weights, or null. */
  public static String compare(Output all, Output weights, Output keys) {
    long[] size = all.layout.size();
    for (int a = 0; a < size[0]; a++) {
      for (int b = 0; b < size[1]; b++) {
        for (int c = 0; c < size[2]; c++) {
          String wrong =
              compare(
                  all,
                  row(all.layout, a, b, c),
                  weights,
                  row(weights.layout, a, b, c),
                  keys,
                  row(keys.layout, a, b, c));
          if (wrong != null) {
            return "of row [%d, %d, %d], %s".formatted(a, b, c, wrong);
          }
        }
      }
    }
    return null;
  }

  private static String compare(
      Output all, int row, Output weights, int weightRow, Output keys, int keyRow) {
    Integer[] order = new Integer[all.count()];
    Arrays.setAll(order, j -> j);
    // Sorting is stable: of equal weights the lower key comes first. Float.compare has NaN above
    // all.
    Arrays.sort(order, Comparator.comparing((Integer j) -> all.weight(row, j)).reversed());
    for (int k = 0; k < weights.count(); k++) {
      boolean listed = k < order.length && all.weight(row, order[k]) != 0;
      int key = listed ? order[k] : -1;
      int bits = listed ? all.bits[row + key] : 0;
      if (keys.bits[keyRow + k] != key || weights.bits[weightRow + k] != bits) {
        return "top_weights and top_keys [%d] are %s of %d, expected %s of %d"
            .formatted(
                k,
                weights.weight(weightRow, k),
                keys.bits[keyRow + k],
                Float.intBitsToFloat(bits),
                key);
      }
    }
    return null;
  }

  private static int row(Layout layout, int a, int b, int c) {
    long[] stride = layout.stride();
    return (int) (layout.offset() + a * stride[0] + b * stride[1] + c * stride[2]);
  }
}
