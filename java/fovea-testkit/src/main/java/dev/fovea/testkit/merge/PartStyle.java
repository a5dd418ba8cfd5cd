package dev.fovea.testkit.merge;

import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;
import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * How parts [P, ...] of rows lie in memory.
 *
 * @param each how one of them does
 * @param between whether the rows of all parts lie side by side, and not whole parts
 * @param gap unused elements behind each part
 * @param shared whether all are the same memory
 */
public record PartStyle(Style each, boolean between, int gap, boolean shared) {

  /** Without gaps. */
  public static final PartStyle DENSE = new PartStyle(Style.DENSE, false, 0, false);

  /** The layout for these sizes of a part. */
  Layout layout(int parts, long... size) {
    Layout one = each.layout(size);
    long[] stride = new long[4];
    System.arraycopy(one.stride(), 0, stride, 1, 3);
    if (shared) {
      stride[0] = 0;
    } else if (between) {
      stride[0] = size[3] + each.gap()[3];
      for (int i = 1; i < 4; i++) {
        stride[i] *= parts;
      }
    } else {
      stride[0] = each.absurd() && parts == 1 ? Layout.ABSURD : one.elements() + gap;
    }
    long[] all = LongStream.concat(LongStream.of(parts), Arrays.stream(size)).toArray();
    return Layout.withStrides(one.offset(), stride, all);
  }

  /** A random style. */
  static PartStyle draw(Gaussian random) {
    Style each = Style.drawInput(random);
    return new PartStyle(
        each, random.chance(0.25), random.among(0, 0, 0, 1, 4, 8, 9), random.chance(0.04));
  }

  /** For coverage. */
  static String name(Layout layout) {
    long[] stride = layout.stride();
    if (Arrays.stream(stride).anyMatch(it -> it >= Layout.ABSURD)) {
      return "absurd";
    }
    if (layout.isShared()) {
      return "broadcast";
    }
    long least = Arrays.stream(stride).min().orElseThrow();
    if (layout.size()[0] > 1 && stride[0] == least) {
      return "between";
    }
    return least == layout.size()[4] ? "rows-dense" : "gaps";
  }
}
