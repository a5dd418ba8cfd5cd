package dev.fovea.testkit.activation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.Activation;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnnxNode;
import dev.fovea.testkit.OnnxNode.Array;
import dev.fovea.testkit.TestDevice;
import java.io.IOException;
import java.nio.file.Path;

/** The node tests of ONNX Gelu, in both approximations. */
class OnnxConformanceTest {

  private static void run(OnnxNode node, TestDevice on) {
    Array input = node.input("x");
    Activation activation =
        node.text("approximate", "none").equals("tanh") ? Activation.geluTanh() : Activation.gelu();
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = scope.allocate(input.type(), 1, 1, input.values().length);
      float[] out = activation.forward(scope, x.copyFrom(input.values())).toFloatArray();
      assertArrayEquals(node.output("y").values(), out, 1e-6f, node.name()); // of numbers below 3
    }
  }

  @OnEveryDevice
  void nodeTests(TestDevice on) throws IOException {
    on.device();
    for (Path folder : OnnxNode.folders("gelu")) {
      run(OnnxNode.read(folder), on);
    }
  }
}
