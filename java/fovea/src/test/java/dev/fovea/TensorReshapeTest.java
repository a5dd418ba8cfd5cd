package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** {@link Tensor#reshape} of tensors whose elements do not lie one behind the other. */
class TensorReshapeTest {
  private static final int VIEWS = 4000;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  /** Elements 0, 1, 2, … in row-major order: each is its own offset. */
  private Tensor counting(long... shape) {
    float[] values = new float[(int) Layouts.elements(shape)];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return scope.copyOf(values, shape);
  }

  private static void assertRefused(Tensor tensor, long... shape) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> tensor.reshape(shape)).getMessage();
    assertTrue(message.contains("cannot be reshaped to " + Arrays.toString(shape)), message);
  }

  /** What the elements are in row-major order, index by index. */
  private static List<Float> elements(Tensor tensor) {
    List<Float> elements = new ArrayList<>();
    long[] shape = tensor.shape();
    long[] index = new long[shape.length];
    for (long n = tensor.elements(); n > 0; n--) {
      elements.add(tensor.getFloat(index));
      for (int dim = shape.length - 1; dim >= 0 && ++index[dim] == shape[dim]; dim--) {
        index[dim] = 0;
      }
    }
    return elements;
  }

  private static void assertSameElements(Tensor from, Tensor to) {
    assertEquals(elements(from), elements(to), () -> from + " as " + to);
    assertEquals(from.address(), to.address(), "nothing is copied");
    assertEquals(from.segment().byteSize(), to.segment().byteSize());
  }

  @Test
  void columnsOfAMatrixAreSplitAndMerged() {
    Tensor half = counting(2, 3, 8).slice(2, 4, 8); // of a row, as of a fused projection
    assertArrayEquals(new long[] {24, 8, 1}, half.strides());
    Tensor heads = half.reshape(2, 3, 2, 2);
    assertArrayEquals(new long[] {24, 8, 2, 1}, heads.strides());
    assertSameElements(half, heads);
    Tensor rows = half.reshape(6, 4);
    assertArrayEquals(new long[] {8, 1}, rows.strides());
    assertSameElements(half, rows);
    assertSameElements(heads, heads.reshape(1, -1, 4));
    assertSameElements(half, half.reshape(3, 2, 1, 4));
    assertRefused(half, 24);
    assertRefused(half, 2, 12);
    assertRefused(half, 3, 8);
  }

  @Test
  void whatIsTransposedHasOnlySomeShapes() {
    Tensor heads = counting(2, 4, 3, 5).permute(0, 2, 1, 3);
    assertSameElements(heads, heads.reshape(2, 3, 2, 2, 5));
    assertSameElements(heads, heads.reshape(2, 3, 4, 1, 5, 1));
    assertRefused(heads, 2, 3, 20);
    assertRefused(heads, 6, 4, 5);
    assertRefused(counting(3, 4).transpose(0, 1), 12);
    assertRefused(counting(3, 4).transpose(0, 1), 3, 4);
  }

  @Test
  void rowsOfASliceDoNotMergeWithTheSequencesAroundThem() {
    Tensor late = counting(2, 5, 3).slice(1, 2, 5);
    assertSameElements(late, late.reshape(2, 9));
    assertRefused(late, 6, 3);
    assertSameElements(late.slice(0, 1, 2), late.slice(0, 1, 2).reshape(3, 3));
  }

  @Test
  void sizesOfOneLieAnywhere() {
    // Strides of a size of 1 say nothing, whatever they are.
    Tensor column = counting(4, 6).slice(1, 2, 3);
    assertArrayEquals(new long[] {6, 1}, column.strides());
    assertSameElements(column, column.reshape(4));
    assertSameElements(column, column.reshape(1, 2, 1, 2, 1));
    assertSameElements(column, column.reshape(-1));
    Tensor wide = counting(6, 4).transpose(0, 1).slice(0, 1, 2); // [1, 6] strides [1, 4]
    assertSameElements(wide, wide.reshape(3, 2));
    assertSameElements(wide, wide.reshape(1, 6, 1));
    Tensor between = counting(3, 2, 5).slice(1, 1, 2); // [3, 1, 5] strides [10, 5, 1]
    assertSameElements(between, between.reshape(3, 5));
    assertSameElements(between, between.reshape(1, 3, 1, 5, 1));
    assertRefused(between, 15);
    Tensor one = counting(3, 4).slice(0, 1, 2).slice(1, 2, 3);
    assertSameElements(one, one.reshape());
    assertSameElements(one, one.reshape(1, 1, 1));
    assertSameElements(one.reshape(), one.reshape().reshape(1, 1));
  }

  @Test
  void noElementsHaveEveryShapeOfNone() {
    Tensor none = counting(3, 4, 5).slice(1, 2, 2).transpose(0, 2); // [5, 0, 3]
    assertEquals(0, none.elements());
    assertArrayEquals(new long[] {0, 15}, none.reshape(0, 15).shape());
    assertArrayEquals(new long[] {15, 0}, none.reshape(15, -1).shape());
    assertArrayEquals(new long[] {0}, none.reshape(0).shape());
    assertEquals(0, none.reshape(7, 0, 2).toFloatArray().length);
    assertThrows(IllegalArgumentException.class, () -> none.reshape(15));
    assertThrows(IllegalArgumentException.class, () -> none.reshape());
    assertThrows(IllegalArgumentException.class, () -> none.reshape(0, -1));
  }

  @Test
  void whatIsRepeatedMergesOnlyWithItsLike() {
    Tensor repeated = counting(1, 3).expand(4, 2, 3); // strides [0, 0, 1]
    assertSameElements(repeated, repeated.reshape(8, 3));
    assertSameElements(repeated, repeated.reshape(2, 4, 3));
    assertRefused(repeated, 4, 6);
    assertRefused(repeated, 24);
    Tensor number = counting(1).expand(2, 6);
    assertSameElements(number, number.reshape(3, 4));
  }

  @Test
  void refusesOtherNumbersOfElements() {
    Tensor half = counting(2, 8).slice(1, 0, 4);
    for (long[] shape : new long[][] {{7}, {2, 5}, {2, 4, 0}, {}, {16}, {1L << 40, 1L << 20}}) {
      assertThrows(IllegalArgumentException.class, () -> half.reshape(shape));
    }
    assertThrows(IllegalArgumentException.class, () -> half.reshape(-2, -4));
    assertThrows(IllegalArgumentException.class, () -> half.reshape(3, -1));
    assertThrows(IllegalArgumentException.class, () -> half.reshape(1L << 40, 1L << 40));
  }

  /**
   * Every view that is made has the elements, and none is refused that strides could be found for,
   * by trying all that the memory has.
   */
  @Test
  void randomViewsKeepTheirElementsOrAreRefused() {
    Random random = new Random(5);
    int made = 0;
    int refused = 0;
    for (int n = 0; n < VIEWS; n++) {
      Tensor view = view(random);
      long[] shape = shape(random, view.elements());
      boolean possible = isPossible(view, shape);
      Tensor reshaped = null;
      try {
        reshaped = view.reshape(shape);
      } catch (IllegalArgumentException e) {
        String what = view.shape().length + " " + e.getMessage();
        assertTrue(!possible, what);
        refused++;
      }
      if (reshaped != null) {
        assertTrue(possible);
        assertArrayEquals(shape, reshaped.shape());
        assertSameElements(view, reshaped);
        made++;
      }
    }
    assertTrue(made > VIEWS / 4 && refused > VIEWS / 8, made + " made, " + refused + " refused");
  }

  /** Sliced, permuted, with sizes of 1 and repeated. */
  private Tensor view(Random random) {
    int rank = 1 + random.nextInt(4);
    long[] shape = new long[rank];
    Arrays.setAll(shape, i -> 1 + random.nextInt(4));
    Tensor view = counting(shape);
    List<Integer> order = new ArrayList<>();
    for (int dim = 0; dim < rank; dim++) {
      order.add(dim);
      if (random.nextInt(3) == 0) {
        long from = random.nextInt((int) shape[dim]);
        view = view.slice(dim, from, from + 1 + random.nextInt((int) (shape[dim] - from)));
      }
    }
    if (random.nextBoolean()) {
      Collections.shuffle(order, random);
      view = view.permute(order.stream().mapToInt(i -> i).toArray());
    }
    if (random.nextInt(4) == 0) {
      view = view.unsqueeze(random.nextInt(rank + 1));
      long[] sizes = view.shape();
      Arrays.setAll(sizes, i -> sizes[i] == 1 ? 1 + random.nextInt(3) : sizes[i]);
      view = view.expand(sizes);
    }
    return view;
  }

  private static long[] shape(Random random, long elements) {
    List<Long> sizes = new ArrayList<>();
    long left = elements;
    while (left > 1) {
      long size = 1 + random.nextInt((int) left);
      while (left % size != 0) {
        size--;
      }
      sizes.add(size);
      left /= size;
    }
    if (random.nextBoolean()) {
      sizes.add(random.nextInt(sizes.size() + 1), 1L);
    }
    Collections.shuffle(sizes, random);
    return sizes.stream().mapToLong(i -> i).toArray();
  }

  /** Whether one step along each dimension of the new shape is always the same in memory. */
  private static boolean isPossible(Tensor view, long[] shape) {
    List<Float> offsets = elements(view);
    long stride = 1; // in elements
    for (int dim = shape.length - 1; dim >= 0; dim--) {
      float step = shape[dim] > 1 ? offsets.get((int) stride) - offsets.get(0) : 0;
      for (int i = 0; i < offsets.size(); i++) {
        boolean hasNext = i / stride % shape[dim] < shape[dim] - 1;
        if (hasNext && offsets.get(i + (int) stride) - offsets.get(i) != step) {
          return false;
        }
      }
      stride *= shape[dim];
    }
    return true;
  }
}
