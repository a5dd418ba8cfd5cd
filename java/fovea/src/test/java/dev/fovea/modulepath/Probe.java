package dev.fovea.modulepath;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;

/** What a user's program does, to be run on the module path. */
public final class Probe {
  private Probe() {}

  public static void main(String[] args) {
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT32, 1, 4, 2, 16).fill(1);
      Tensor value = scope.allocate(DType.FLOAT32, 1, 8, 1, 16).fill(3);
      Tensor out = Attention.create().forward(scope, query, value, value);
      System.out.println("module " + Attention.class.getModule().getName());
      System.out.println("out " + out.getFloat(0, 3, 1, 15));
      System.out.println(Device.loadReports().getFirst());
    }
  }
}
