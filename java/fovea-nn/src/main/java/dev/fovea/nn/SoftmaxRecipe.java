package dev.fovea.nn;

import dev.fovea.SoftmaxCall;
import dev.fovea.nn.OperationNode.Recipe;
import java.util.Arrays;
import java.util.List;

/**
 * What nodes of all operations with a softmax over keys have alike.
 *
 * @param spec what scores keys
 * @param hasDropout whether weights are dropped
 * @param hasWeights whether they come out, before dropout
 */
record SoftmaxRecipe(Object spec, boolean hasDropout, boolean hasWeights) {
  /** Of a call whose first operands are bound. */
  Recipe of(SoftmaxCall<?> call, List<String> names, Variable query, Variable key, Operands more) {
    if (more.isPacked() && more.get("cu_seqlens_k") != null) {
      call.cuSeqlens(
          more.get("cu_seqlens_q").value(),
          more.get("cu_seqlens_k").value(),
          more.longestQuery(),
          more.longestKey());
    }
    long[] lse = lse(query, more);
    Recipe recipe =
        new Recipe(call, names, query.dtype(), call::gradients)
            .saving("lse", lse)
            .seeded(hasDropout ? call::dropoutSeed : null);
    return hasWeights ? recipe.giving("weights", weights(lse, key, more)) : recipe;
  }

  private static long[] lse(Variable query, Operands more) {
    long[] q = query.shape();
    int rank = q.length;
    if (rank < 3) {
      return q; // will be refused
    }
    return more.isPacked() ? new long[] {q[rank - 2], q[rank - 3]} : new long[] {q[0], q[2], q[1]};
  }

  private static long[] weights(long[] lse, Variable key, Operands more) {
    long[] shape = Arrays.copyOf(lse, lse.length + 1);
    shape[lse.length] = more.longestKey() >= 0 ? more.longestKey() : key.size(1);
    return shape;
  }
}
