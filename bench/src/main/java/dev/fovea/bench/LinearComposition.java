package dev.fovea.bench;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Linear attention of libtorch's operations, in the fastest form that has no loop over tokens:
 * products within chunks, and states between them. The delta rule, whose chunks take a triangular
 * inverse, is the loop that its users write.
 */
final class LinearComposition implements Composition {

  private static final int CHUNK = 64;
  private static final long[] KEYS = {2};
  private static final long[] COLUMNS = {-1};

  private final LinearProblem problem;
  private final int chunk;

  LinearComposition(LinearProblem problem) {
    this.problem = problem;
    chunk = chunk(problem.sequence());
  }

  /** Tokens of a chunk. */
  static int chunk(int sequence) {
    return sequence % CHUNK == 0 ? CHUNK : sequence;
  }

  /** The logarithms of the heads' decays, as RetNet has them. */
  static float[] decays(int heads) {
    float[] decays = new float[heads];
    for (int h = 0; h < heads; h++) {
      decays[h] = (float) Math.log1p(-Math.scalb(1, -5 - h));
    }
    return decays;
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor query = operands[0].transpose(1, 2);
      Tensor key = operands[1].transpose(1, 2);
      Tensor value = operands[2].transpose(1, 2);
      Tensor out =
          switch (problem.form()) {
            case FULL -> full(features(query), features(key), value);
            case CAUSAL -> causal(features(query), features(key), value);
            case RETENTION -> retention(query, key, value);
            case DELTA -> delta(query, key, value, operands[3].transpose(1, 2));
          };
      return out.transpose(1, 2).retainReference();
    }
  }

  private static Tensor features(Tensor x) {
    return torch.elu(x).add(new Scalar(1f));
  }

  private static Tensor full(Tensor query, Tensor key, Tensor value) {
    Tensor state = key.transpose(-1, -2).matmul(value);
    Tensor sum = key.sum(KEYS, false, new ScalarTypeOptional()).unsqueeze(-1);
    return query.matmul(state).div(query.matmul(sum));
  }

  private Tensor causal(Tensor query, Tensor key, Tensor value) {
    Tensor q = chunks(query);
    Tensor k = chunks(key);
    Tensor v = chunks(value);
    Tensor states = k.transpose(-1, -2).matmul(v);
    Tensor before = states.cumsum(2).sub(states);
    Tensor out = q.matmul(k.transpose(-1, -2)).tril().matmul(v).add(q.matmul(before));
    Tensor weights = query.mul(key.cumsum(2)).sum(COLUMNS, true, new ScalarTypeOptional());
    return rows(out).div(weights);
  }

  private Tensor retention(Tensor query, Tensor key, Tensor value) {
    int heads = problem.heads();
    float[] within = new float[heads * chunk * chunk];
    float[] since = new float[heads * chunk];
    float[] until = new float[heads * chunk];
    float[] whole = new float[heads];
    float[] decays = decays(heads);
    for (int h = 0; h < heads; h++) {
      for (int i = 0; i < chunk; i++) {
        for (int j = 0; j <= i; j++) {
          within[(h * chunk + i) * chunk + j] = (float) Math.exp((i - j) * decays[h]);
        }
        since[h * chunk + i] = (float) Math.exp((i + 1) * decays[h]);
        until[h * chunk + i] = (float) Math.exp((chunk - 1 - i) * decays[h]);
      }
      whole[h] = (float) Math.exp(chunk * decays[h]);
    }
    Tensor q = chunks(query);
    Tensor k = chunks(key);
    Tensor v = chunks(value);
    Tensor inner = q.matmul(k.transpose(-1, -2)).mul(constant(within, heads, 1, chunk, chunk));
    Tensor added = k.mul(constant(until, heads, 1, chunk, 1)).transpose(-1, -2).matmul(v);
    Tensor before = scan(added, constant(whole, heads, 1, 1));
    Tensor cross = q.mul(constant(since, heads, 1, chunk, 1)).matmul(before);
    return rows(inner.matmul(v).add(cross));
  }

  /** The states before each chunk. */
  private static Tensor scan(Tensor added, Tensor decay) {
    TensorVector states = new TensorVector();
    Tensor state = torch.zeros_like(added.select(2, 0));
    for (long n = 0; n < added.size(2); n++) {
      states.push_back(state);
      state = state.mul(decay).add(added.select(2, n));
    }
    return torch.stack(states, 2);
  }

  private static Tensor delta(Tensor query, Tensor key, Tensor value, Tensor beta) {
    TensorVector outs = new TensorVector();
    Tensor state = torch.zeros(query.size(0), query.size(1), query.size(3), value.size(3));
    for (long t = 0; t < query.size(2); t++) {
      state = step(query, key, value, beta, t, state, outs);
    }
    state.close();
    return torch.cat(outs, 2);
  }

  @SuppressWarnings("try")
  private static Tensor step(
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor beta,
      long t,
      Tensor state,
      TensorVector outs) {
    try (PointerScope scope = new PointerScope()) {
      Tensor k = key.narrow(2, t, 1);
      Tensor change = value.narrow(2, t, 1).sub(k.matmul(state));
      Tensor next =
          k.transpose(-1, -2).matmul(change.mul(beta.narrow(2, t, 1).unsqueeze(-1))).add_(state);
      outs.push_back(query.narrow(2, t, 1).matmul(next));
      return next.retainReference();
    } finally {
      state.close();
    }
  }

  /** [B, H, N, C, D] of [B, H, S, D]. */
  private Tensor chunks(Tensor rows) {
    return rows.reshape(rows.size(0), rows.size(1), -1, chunk, rows.size(3));
  }

  private static Tensor rows(Tensor chunks) {
    return chunks.flatten(2, 3);
  }

  private static Tensor constant(float[] values, long... shape) {
    return torch.from_blob(new FloatPointer(values), shape).clone();
  }
}
