package dev.fovea.nn;

import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** Ways to look at a value: nothing is copied, and a gradient is looked at in the same way. */
sealed interface Views {
  /** For each view, how a tensor like {@code value} is looked at. */
  List<UnaryOperator<Tensor>> of(Tensor value);

  /** True if every element is in exactly one view. */
  default boolean isWhole() {
    return true;
  }

  /** Another shape. */
  record Reshape(Shape shape) implements Views {
    @Override
    public List<UnaryOperator<Tensor>> of(Tensor value) {
      return List.of(it -> it.reshape(shape.sizes()));
    }
  }

  /** Another order of dimensions. */
  record Permute(Shape order) implements Views {
    @Override
    public List<UnaryOperator<Tensor>> of(Tensor value) {
      int[] dims = LongStream.of(order.sizes()).mapToInt(Math::toIntExact).toArray();
      return List.of(it -> it.permute(dims));
    }
  }

  /** A range of one dimension. */
  record Slice(int dim, long from, long to) implements Views {
    @Override
    public List<UnaryOperator<Tensor>> of(Tensor value) {
      return List.of(it -> it.slice(dim, from, to));
    }

    @Override
    public boolean isWhole() {
      return false;
    }
  }

  /** Ranges of one dimension, one behind the other. */
  record Split(int dim, Shape sizes) implements Views {
    @Override
    public List<UnaryOperator<Tensor>> of(Tensor value) {
      List<UnaryOperator<Tensor>> views = new ArrayList<>();
      long from = 0;
      for (long size : sizes.sizes()) {
        long begin = from;
        views.add(it -> it.slice(dim, begin, begin + size));
        from += size;
      }
      if (from != value.size(dim)) {
        throw new IllegalArgumentException(
            "sizes %s have a sum of %d, expected %d".formatted(sizes, from, value.size(dim)));
      }
      return views;
    }
  }

  /** All indices of one dimension. */
  record Unbind(int dim) implements Views {
    @Override
    public List<UnaryOperator<Tensor>> of(Tensor value) {
      return IntStream.range(0, Math.toIntExact(value.size(dim)))
          .<UnaryOperator<Tensor>>mapToObj(i -> it -> it.select(dim, i))
          .toList();
    }
  }
}
