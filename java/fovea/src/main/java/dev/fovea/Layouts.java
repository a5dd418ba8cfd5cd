package dev.fovea;

import java.util.Arrays;

/** Arithmetic of shapes and strides that cannot overflow unseen: it refuses instead. */
final class Layouts {
  private Layouts() {}

  /** Number of elements. */
  static long elements(long[] shape) {
    long elements = 1;
    boolean empty = false;
    for (int dim = 0; dim < shape.length; dim++) {
      if (shape[dim] < 0) {
        throw new IllegalArgumentException(
            "shape " + Arrays.toString(shape) + ": dimension " + dim + " is negative");
      }
      empty |= shape[dim] == 0;
    }
    if (empty) {
      return 0; // whatever the other sizes would multiply to
    }
    for (long size : shape) {
      elements = multiply(elements, size, shape);
    }
    return elements;
  }

  /**
   * The shape with its one -1, if there is one, replaced by what makes it so many elements.
   *
   * @throws IllegalArgumentException if there are more, or no size does that
   */
  static long[] infer(long[] shape, long elements) {
    long[] sizes = shape.clone();
    int unknown = -1;
    for (int dim = 0; dim < sizes.length; dim++) {
      if (sizes[dim] == -1) {
        if (unknown >= 0) {
          throw new IllegalArgumentException(
              "shape " + Arrays.toString(shape) + " has more than one -1");
        }
        unknown = dim;
        sizes[dim] = 1;
      }
    }
    if (unknown >= 0) {
      long others = elements(sizes);
      if (others == 0 || elements % others != 0) {
        throw new IllegalArgumentException(
            "%d elements do not fill shape %s".formatted(elements, Arrays.toString(shape)));
      }
      sizes[unknown] = elements / others;
    }
    return sizes;
  }

  /** With {@code value} before position {@code dim}. */
  static long[] insert(long[] values, int dim, long value) {
    long[] longer = Arrays.copyOf(values, values.length + 1);
    System.arraycopy(values, dim, longer, dim + 1, values.length - dim);
    longer[dim] = value;
    return longer;
  }

  /** Row-major strides: the last dimension is contiguous. */
  static long[] denseStrides(long[] shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int dim = shape.length - 1; dim >= 0; dim--) {
      strides[dim] = stride;
      stride = multiply(stride, Math.max(1, shape[dim]), shape);
    }
    return strides;
  }

  /**
   * The strides under which the same memory has another shape, the elements in the same row-major
   * order; null if it has none.
   */
  static long[] reshape(long[] shape, long[] strides, long[] newShape) {
    if (isContiguous(shape, strides)) {
      return denseStrides(newShape);
    }
    long[] newStrides = new long[newShape.length];
    int to = newShape.length - 1;
    int last = shape.length - 1; // of dimensions that lie as one would, from `dim` on
    long size = 1;
    for (int dim = last; dim >= 0; dim--) {
      size *= shape[dim];
      boolean goesOn = dim > 0 && (shape[dim - 1] == 1 || strides[dim - 1] == size * strides[last]);
      if (goesOn) {
        continue;
      }
      long filled = 1;
      for (; to >= 0 && (filled < size || newShape[to] == 1); to--) {
        newStrides[to] = filled * strides[last];
        filled *= newShape[to];
      }
      if (filled != size) {
        return null;
      }
      last = dim - 1;
      size = 1;
    }
    return newStrides;
  }

  /** Elements from the first to the last one, both included; 0 if there are none. */
  static long span(long[] shape, long[] strides) {
    if (strides.length != shape.length) {
      throw new IllegalArgumentException(
          "strides %s are not one for each dimension of shape %s"
              .formatted(Arrays.toString(strides), Arrays.toString(shape)));
    }
    for (long stride : strides) {
      if (stride < 0) {
        throw new IllegalArgumentException(
            "strides " + Arrays.toString(strides) + ": negative strides are not supported");
      }
    }
    if (elements(shape) == 0) {
      return 0;
    }
    long last = 0;
    for (int dim = 0; dim < shape.length; dim++) {
      last = add(last, multiply(shape[dim] - 1, strides[dim], shape), shape);
    }
    return add(last, 1, shape);
  }

  /** Bytes of a {@link #span}. */
  static long spanBytes(long[] shape, long[] strides, DType dtype) {
    return multiply(span(shape, strides), dtype.byteSize(), shape);
  }

  /** True if the elements lie in row-major order without gaps. */
  static boolean isContiguous(long[] shape, long[] strides) {
    if (elements(shape) == 0) {
      return true;
    }
    long expected = 1;
    for (int dim = shape.length - 1; dim >= 0; dim--) {
      if (shape[dim] != 1 && strides[dim] != expected) {
        return false;
      }
      expected *= shape[dim];
    }
    return true;
  }

  /** Elements from the first one to that of {@code index}. */
  static long offset(long[] index, long[] shape, long[] strides) {
    boolean inside = index.length == shape.length;
    long offset = 0;
    for (int dim = 0; inside && dim < shape.length; dim++) {
      inside = index[dim] >= 0 && index[dim] < shape[dim];
      offset += index[dim] * strides[dim];
    }
    if (!inside) {
      throw new IndexOutOfBoundsException(
          "index %s is outside shape %s".formatted(Arrays.toString(index), Arrays.toString(shape)));
    }
    return offset;
  }

  /** The product of some sizes of an operand. */
  static long product(long... sizes) {
    long product = 1;
    for (long size : sizes) {
      product = multiply(product, size, sizes);
    }
    return product;
  }

  private static long multiply(long a, long b, long[] shape) {
    try {
      return Math.multiplyExact(a, b);
    } catch (ArithmeticException e) {
      throw tooLarge(shape);
    }
  }

  private static long add(long a, long b, long[] shape) {
    try {
      return Math.addExact(a, b);
    } catch (ArithmeticException e) {
      throw tooLarge(shape);
    }
  }

  private static IllegalArgumentException tooLarge(long[] shape) {
    return new IllegalArgumentException(
        "shape " + Arrays.toString(shape) + " is too large: its extent overflows 64 bits");
  }
}
