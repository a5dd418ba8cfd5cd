package dev.fovea.testkit.norm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.Normalization;
import dev.fovea.NormalizationCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The node tests of ONNX LayerNormalization and RMSNormalization: rows over the last dimensions,
 * from any axis on, which are one dimension to us.
 */
class OnnxConformanceTest {

  private static final String LAYER = "layer_normalization";
  private static final String RMS = "rms_normalization";
  private static final float ROOM = 2e-6f; // of numbers below 8

  /** Elements of a row: the product of the dimensions from the axis on. */
  private static long width(OnnxNode node, long[] shape) {
    int axis = (int) node.integer("axis", -1);
    return Arrays.stream(shape, axis < 0 ? axis + shape.length : axis, shape.length)
        .reduce(1, (a, b) -> a * b);
  }

  private static Tensor vector(Scope scope, Array array) {
    return array == null ? null : scope.copyOf(array.values(), array.values().length);
  }

  private static void assertOutput(OnnxNode node, String output, Tensor got) {
    Array expected = node.output(output);
    if (expected != null) {
      assertArrayEquals(expected.values(), got.toFloatArray(), ROOM, node.name());
    }
  }

  private static void run(OnnxNode node, boolean layer, TestDevice on) {
    Array input = node.input("X");
    long width = width(node, input.shape());
    long rows = input.values().length / width;
    float epsilon = node.number("epsilon", 1e-5f);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = scope.copyOf(input.values(), 1, rows, 1, width);
      Tensor mean = scope.copyOf(new float[(int) rows], 1, rows, 1);
      Tensor inverse = scope.copyOf(new float[(int) rows], 1, rows, 1);
      NormalizationCall call =
          (layer ? Normalization.layer(epsilon) : Normalization.rms(epsilon))
              .call(x)
              .weight(vector(scope, node.input("W")))
              .bias(vector(scope, node.input("B")))
              .mean(layer ? mean : null)
              .inverse(inverse);
      assertOutput(node, "Y", call.forward(scope));
      assertOutput(node, "Mean", mean);
      assertOutput(node, "InvStdDev", inverse);
    }
  }

  @OnEveryDevice
  void nodeTests(TestDevice on) throws IOException {
    on.device();
    for (String operator : new String[] {LAYER, RMS}) {
      for (Path folder : OnnxNode.folders(operator)) {
        run(OnnxNode.read(folder), operator.equals(LAYER), on);
      }
    }
  }
}
