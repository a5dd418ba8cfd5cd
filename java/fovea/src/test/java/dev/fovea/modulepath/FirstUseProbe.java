package dev.fovea.modulepath;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.FoveaException;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.lang.foreign.Linker;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A program that goes on after its first use of the library failed: uses it twice, and once more
 * when the folder for temporary files is there. Arguments are properties and their values.
 */
public final class FirstUseProbe {
  private FirstUseProbe() {}

  public static void main(String[] args) throws Exception {
    Linker.nativeLinker(); // which asks os.arch for calling conventions
    for (int i = 0; i < args.length; i += 2) {
      System.setProperty(args[i], args[i + 1]);
    }
    use();
    use();
    Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir")));
    use();
  }

  private static void use() {
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT32, 1, 4, 2, 16).fill(1);
      Tensor out = Attention.create().forward(scope, query, query, query);
      System.out.println("out " + out.getFloat(0, 3, 1, 15));
    } catch (FoveaException e) {
      System.out.println(e.status() + ": " + e.getMessage().replace("\n  ", " | "));
    }
    System.out.println(Device.loadReports().getLast());
  }
}
