package dev.fovea.cli.encoder;

import static dev.fovea.cli.encoder.EncoderWeights.FEED_FORWARD;
import static dev.fovea.cli.encoder.EncoderWeights.HEADS;
import static dev.fovea.cli.encoder.EncoderWeights.HEAD_DIM;
import static dev.fovea.cli.encoder.EncoderWeights.HIDDEN;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.encoder.EncoderWeights.Layer;
import dev.fovea.cli.encoder.EncoderWeights.Matrix;
import dev.fovea.ffi.OpenBlas;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The buffers of one worker, and the way of a block of sentences through all layers. The sentences
 * lie end to end: no padding is computed.
 */
final class EncoderPass implements AutoCloseable {

  private static final Attention ATTENTION = Attention.create();

  /** The FFN is done in parts of its width: their activations stay in the cache. */
  private static final int FEED_FORWARD_PART = FEED_FORWARD / 2;

  private final EncoderWeights weights;
  private final Scope scope = Scope.open();
  private final RowKernels kernels = new RowKernels(FEED_FORWARD);
  private final Tensor qkv;
  private final Tensor attended;
  private final Tensor sentenceStarts;
  private final MemorySegment hidden;
  private final MemorySegment feedForward;

  /** Buffers for {@code capacity} tokens. */
  EncoderPass(EncoderWeights weights, int capacity) {
    this.weights = weights;
    qkv = scope.allocate(DType.FLOAT32, capacity, 3, HEADS, HEAD_DIM);
    attended = scope.allocate(DType.FLOAT32, capacity, HEADS, HEAD_DIM);
    sentenceStarts = scope.allocate(DType.INT32, capacity + 1);
    hidden = scope.allocate(DType.FLOAT32, capacity, HIDDEN).segment();
    feedForward = scope.allocate(DType.FLOAT32, capacity, FEED_FORWARD_PART).segment();
  }

  /** Embeds {@code sentences}, which fit into the capacity; each result has length 1. */
  float[][] embed(List<int[]> sentences) {
    int tokens = run(sentences, -1, null);
    float[][] results = new float[sentences.size()][];
    int end = tokens;
    for (int i = sentences.size() - 1; i >= 0; i--) {
      int begin = end - sentences.get(i).length;
      results[i] = kernels.pool(hidden, begin, end, HIDDEN);
      end = begin;
    }
    return results;
  }

  /**
   * Writes the attention weights of {@code layer} over one sentence to {@code to}, [heads, tokens,
   * tokens].
   */
  void weights(int[] sentence, int layer, Tensor to) {
    run(List.of(sentence), layer, to);
  }

  private int run(List<int[]> sentences, int weightsLayer, Tensor weightsOut) {
    int tokens = embedTokens(sentences);
    AttentionCall attention = attention(sentences, tokens);
    for (int i = 0; i < weights.layers.size(); i++) {
      if (i == weightsLayer) {
        attention = attention(sentences, tokens).weights(weightsOut);
      }
      layer(weights.layers.get(i), tokens, attention);
      if (i == weightsLayer) {
        break;
      }
    }
    return tokens;
  }

  private int embedTokens(List<int[]> sentences) {
    int index = 0;
    for (int[] sentence : sentences) {
      for (int position = 0; position < sentence.length; position++) {
        kernels.embed(
            weights.words,
            sentence[position],
            weights.positions,
            position,
            hidden,
            index++,
            weights.embeddingNorm);
      }
    }
    return index;
  }

  /** Attention over the three strided parts of the fused projection: nothing is copied. */
  private AttentionCall attention(List<int[]> sentences, int tokens) {
    int[] starts = new int[sentences.size() + 1];
    int longest = 0;
    for (int i = 0; i < sentences.size(); i++) {
      int length = sentences.get(i).length;
      starts[i + 1] = starts[i] + length;
      longest = Math.max(longest, length);
    }
    Tensor boundaries = sentenceStarts.slice(0, 0, starts.length).copyFrom(starts);
    Tensor parts = qkv.slice(0, 0, tokens);
    return ATTENTION
        .call(parts.select(1, 0), parts.select(1, 1), parts.select(1, 2))
        .cuSeqlens(boundaries, boundaries, longest, longest)
        .out(attended.slice(0, 0, tokens))
        .parallelism(1);
  }

  private void layer(Layer layer, int tokens, AttentionCall attention) {
    // A product adds to what lies in its output: prefilled with the bias, or holding the residual.
    RowKernels.fill(qkv.segment(), tokens, layer.qkv().bias());
    product(tokens, hidden, layer.qkv().weights(), 1, qkv.segment());
    attention.run();
    MemorySegment context = attended.segment();
    product(tokens, context, layer.attentionOutput().weights(), 1, hidden);
    // The context is not needed any more: its memory takes a copy, which the FFN reads while it
    // writes to the residual.
    float[] bias = layer.attentionOutput().bias();
    kernels.normalise(hidden, tokens, bias, layer.attentionNorm(), hidden, context);
    for (int from = 0; from < FEED_FORWARD; from += FEED_FORWARD_PART) {
      int to = from + FEED_FORWARD_PART;
      product(tokens, context, layer.up().weights().outputRange(from, to), 0, feedForward);
      kernels.gelu(feedForward, tokens, layer.up().bias(), from, to);
      product(tokens, feedForward, layer.down().weights().inputRange(from, to), 1, hidden);
    }
    kernels.normalise(hidden, tokens, layer.down().bias(), layer.outputNorm(), hidden);
  }

  /** {@code out = in * weights^T + beta * out}. */
  private static void product(
      int tokens, MemorySegment in, Matrix weights, float beta, MemorySegment out) {
    int n = weights.outputs();
    int k = weights.inputs();
    OpenBlas.sgemm(
        false, true, tokens, n, k, 1, in, k, weights.data(), weights.stride(), beta, out, n);
  }

  @Override
  public void close() {
    scope.close();
  }
}
