package dev.fovea.bench;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Channel and spatial attention of libtorch's operations, as models have them. */
final class ImageCompositions {

  private static final long[] PIXELS = {2, 3};
  private static final long[] CHANNELS = {1};
  private static final long[] ONE = {1, 1};

  private ImageCompositions() {}

  /** x sigmoid(weight2 relu(weight1 mean + bias1) + bias2). */
  @SuppressWarnings("try") // it closes the tensors in between
  static Tensor channel(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor x = operands[0];
      Tensor mean = x.mean(PIXELS, false, new ScalarTypeOptional());
      Tensor hidden = mean.matmul(operands[1].transpose(0, 1)).add(operands[2]).relu();
      Tensor gate = hidden.matmul(operands[3].transpose(0, 1)).add(operands[4]).sigmoid();
      return x.mul(gate.unsqueeze(2).unsqueeze(3)).retainReference();
    }
  }

  /** x sigmoid(weight * (mean, max) + bias), a convolution. */
  @SuppressWarnings("try")
  static Tensor spatial(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor x = operands[0];
      Tensor weight = operands[1];
      // Of equal channels the first has the gradient; amax would share it.
      Tensor highest = x.max(1, true).get0();
      TensorVector maps =
          new TensorVector(x.mean(CHANNELS, true, new ScalarTypeOptional()), highest);
      long half = weight.size(2) / 2;
      Tensor z =
          torch.conv2d(
              torch.cat(maps, 1),
              weight.unsqueeze(0),
              new TensorOptional(operands[2]),
              ONE,
              new long[] {half, half},
              ONE,
              1);
      return x.mul(z.sigmoid()).retainReference();
    }
  }
}
