package dev.fovea.nn;

import dev.fovea.Activation;
import dev.fovea.ActivationBackward;
import dev.fovea.ActivationCall;
import dev.fovea.DType;
import dev.fovea.OptimizerStep;
import dev.fovea.OptimizerStepCall;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;

/** What goes from one tensor to another as it is, bound once: copies and sums. */
final class Transfer {
  /** A step of plain descent by this is the sum of a parameter and its gradient, in place. */
  private static final OptimizerStep SUM = OptimizerStep.sgd(0);

  private Transfer() {}

  /** Copies {@code from} to {@code to}, converting its elements. */
  static Runnable copy(Tensor from, Tensor to) {
    return copy(from, to, Runtime.getRuntime().availableProcessors());
  }

  /** The same, by so many threads at most. */
  static Runnable copy(Tensor from, Tensor to, int parallelism) {
    return inPieces(
        from,
        to,
        (source, target) -> {
          ActivationCall call =
              Activation.identity()
                  .outDType(target.dtype())
                  .call(source.unsqueeze(0))
                  .out(target.unsqueeze(0))
                  .parallelism(parallelism);
          return call::run;
        });
  }

  /**
   * Adds {@code part} to {@code to}.
   *
   * @param gradients takes memory for what cannot be added in place
   */
  static Runnable add(Gradients gradients, Tensor part, Tensor to) {
    if (to.dtype() == DType.FLOAT32) {
      return inPieces(
          part,
          to,
          (source, target) -> {
            OptimizerStepCall call = SUM.call(source, gradients.ascent(), target);
            return call::run;
          });
    }
    Tensor like = gradients.take(to.dtype(), to.shape());
    Tensor sum = gradients.take(to.dtype(), to.shape());
    Runnable converted = copy(part, like);
    Runnable added =
        inPieces(
            like,
            sum,
            to,
            (source, target, old) -> {
              ActivationCall call =
                  Activation.identity()
                      .call(source.unsqueeze(0))
                      .residual(old.unsqueeze(0))
                      .out(target.unsqueeze(0));
              return call::run;
            });
    Runnable back = copy(sum, to);
    return () -> {
      converted.run();
      added.run();
      back.run();
    };
  }

  /**
   * The sums of the columns of a matrix, float32, or what adds them to {@code to}.
   *
   * @param bias any, as long as a row: it has no part in the sums
   */
  static Runnable sumColumns(Tensor matrix, Tensor bias, Tensor to, boolean isAdded) {
    Tensor batch = matrix.unsqueeze(0);
    ActivationBackward backward =
        Activation.identity().call(batch).bias(bias).gradients(batch).dbias(to).accumulate(isAdded);
    return backward::run;
  }

  private interface Three {
    Runnable bind(Tensor from, Tensor to, Tensor other);
  }

  private static Runnable inPieces(
      Tensor from, Tensor to, BiFunction<Tensor, Tensor, Runnable> bind) {
    return inPieces(from, to, to, (source, target, other) -> bind.apply(source, target));
  }

  /** As matrices, one after the other where the dimensions do not lie so that one will do. */
  private static Runnable inPieces(Tensor from, Tensor to, Tensor other, Three bind) {
    List<Runnable> pieces = new ArrayList<>();
    inPieces(from, to, other, bind, pieces);
    if (pieces.size() == 1) {
      return pieces.getFirst();
    }
    return () -> pieces.forEach(Runnable::run);
  }

  private static void inPieces(
      Tensor from, Tensor to, Tensor other, Three bind, List<Runnable> pieces) {
    if (from.elements() == 0) {
      return;
    }
    if (isMatrix(from) && isMatrix(to) && isMatrix(other)) {
      pieces.add(bind.bind(matrix(from), matrix(to), matrix(other)));
      return;
    }
    if (from.rank() == 1) { // rows of one element each, which have any stride
      pieces.add(bind.bind(from.unsqueeze(1), to.unsqueeze(1), other.unsqueeze(1)));
      return;
    }
    for (long i = 0; i < from.size(0); i++) {
      inPieces(from.select(0, i), to.select(0, i), other.select(0, i), bind, pieces);
    }
  }

  /** Whether rows are contiguous and have one stride, whatever the dimensions before the last. */
  private static boolean isMatrix(Tensor it) {
    int last = it.rank() - 1;
    boolean is = last < 0 || it.stride(last) == 1 || it.size(last) == 1;
    long expected = -1; // of the next dimension; -1: any
    for (int dim = last - 1; dim >= 0; dim--) {
      if (it.size(dim) != 1) { // else its stride says nothing
        is &= expected < 0 || it.stride(dim) == expected;
        expected = it.size(dim) * it.stride(dim);
      }
    }
    return is;
  }

  private static Tensor matrix(Tensor it) {
    return it.reshape(-1, it.rank() == 0 ? 1 : it.size(it.rank() - 1));
  }
}
