package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.Random;

/** Devices, and operands small enough for the simulator. */
final class Samples {
  static final Device FIRST = Device.byName("cuda:0");
  static final Device SECOND = Device.byName("cuda:1");

  /** One query and one key: attention copies value to out, but for a last bit. */
  static final Attention COPY = Attention.create();

  static final long[] SHAPE = {1, 1, 1, 16};

  private Samples() {}

  static Tensor tensor(Scope scope, float value) {
    return scope.allocate(DType.FLOAT32, SHAPE).fill(value);
  }

  /** All elements are {@code expected}; waits for the device. */
  static void assertHolds(float expected, Tensor tensor) {
    float[] wanted = new float[(int) tensor.elements()];
    Arrays.fill(wanted, expected);
    assertArrayEquals(wanted, tensor.toFloatArray(), 1e-5f);
  }

  static float[] random(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
