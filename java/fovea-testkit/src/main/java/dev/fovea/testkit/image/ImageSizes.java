package dev.fovea.testkit.image;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch images, N
 * @param channels C
 * @param height H
 * @param width W
 * @param inner R of channel attention, K of spatial
 */
@SuppressWarnings("exports") // for the operations in this module
public record ImageSizes(int batch, int channels, int height, int width, int inner)
    implements CaseSizes {

  /** Maps that the convolution takes: mean and maximum. */
  public static final int MAPS = 2;

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "channels" -> channels;
      case "height" -> height;
      case "width" -> width;
      case "hidden", "kernel_size" -> inner;
      case "maps" -> MAPS;
      default -> throw new IllegalArgumentException("an image has no " + size.name());
    };
  }

  /** H W. */
  public int pixels() {
    return height * width;
  }

  /** Those of x. */
  public long elements() {
    return (long) batch * channels * pixels();
  }

  @Override
  public String toString() {
    return "N=%d C=%d H=%d W=%d inner=%d".formatted(batch, channels, height, width, inner);
  }
}
