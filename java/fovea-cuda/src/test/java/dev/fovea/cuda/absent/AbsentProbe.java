package dev.fovea.cuda.absent;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;

/** What is here, and that it works: to be run in a JVM of its own. */
public final class AbsentProbe {
  private AbsentProbe() {}

  public static void main(String[] args) {
    System.out.println("devices " + Device.all());
    Device.loadReports().forEach(System.out::println);
    for (Device device : Device.all()) {
      try (Scope scope = Scope.open(device)) {
        Tensor tensor = scope.allocate(DType.FLOAT32, 1, 2, 1, 16).fill(3);
        if (device.name().startsWith("cpu")) {
          check(tensor);
        } else {
          check(Attention.create().forward(scope, tensor, tensor, tensor));
        }
        System.out.println(device + " computes");
      }
    }
  }

  private static void check(Tensor tensor) {
    if (tensor.getFloat(0, 1, 0, 3) != 3) {
      throw new AssertionError(tensor.getFloat(0, 1, 0, 3));
    }
  }
}
