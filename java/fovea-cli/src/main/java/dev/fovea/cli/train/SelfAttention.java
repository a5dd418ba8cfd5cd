package dev.fovea.cli.train;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Tensor;

/**
 * Multi-head self-attention (Vaswani et al., 2017, arXiv 1706.03762): projections to queries, keys
 * and values, Fovea's attention, and a projection of what the heads found.
 *
 * <p>Forward and backward pass are bound once, to views of the matrices that the projections write
 * and read, and run in every step: nothing is copied, planned or allocated again.
 */
final class SelfAttention implements Layer {
  private static final Attention ATTENTION = Attention.create();

  private final Linear projection;
  private final Linear merge;
  private final Matrix attended;
  private final Matrix projectionGradient;
  private final AttentionCall call;
  private final AttentionBackward backward;

  /** Over {@code batch} sequences of {@code length} tokens. */
  SelfAttention(Workspace workspace, int batch, int length, int width, int heads) {
    int headDim = width / heads;
    projection = new Linear(workspace, width, 3 * width);
    merge = new Linear(workspace, width, width);
    attended = workspace.activations(width);
    projectionGradient = workspace.activations(3 * width);
    // Query, key and value lie side by side in every row: views with strides.
    Tensor qkv = projection.output().view(batch, length, 3, heads, headDim);
    Tensor dqkv = projectionGradient.view(batch, length, 3, heads, headDim);
    call =
        ATTENTION
            .call(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2))
            .out(attended.view(batch, length, heads, headDim))
            .lse(workspace.scope().allocate(DType.FLOAT32, batch, heads, length));
    backward =
        call.gradients(merge.inputGradient().view(batch, length, heads, headDim))
            .dquery(dqkv.select(2, 0))
            .dkey(dqkv.select(2, 1))
            .dvalue(dqkv.select(2, 2));
  }

  @Override
  public Matrix forward(Matrix input) {
    projection.forward(input);
    call.run();
    return merge.forward(attended);
  }

  @Override
  public Matrix backward(Matrix gradient) {
    merge.backward(gradient);
    backward.run();
    return projection.backward(projectionGradient);
  }
}
