package dev.fovea.nn.train;

import dev.fovea.Tensor;
import dev.fovea.nn.Parameters;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A training run in a file, {@link Safetensors}: parameters by their names, what the optimiser
 * keeps, and numbers. From it a run goes on to the same bits as one that was never interrupted.
 * Other programs find the parameters under their names.
 */
final class Checkpoint {
  private static final String STATE = "optimizer.";
  private static final String STEPS = "optimizer.steps";

  private Checkpoint() {}

  /** Writes a run, or leaves the file that is there. */
  static void write(Path path, Optimizer optimizer, Map<String, String> numbers)
      throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    optimizer.parameters().named().forEach((name, it) -> tensors.put(name, it.value()));
    optimizer.state().forEach((name, it) -> tensors.put(STATE + name, it));
    Map<String, String> all = new LinkedHashMap<>(numbers);
    all.put(STEPS, Integer.toString(optimizer.steps()));
    Safetensors.write(path, tensors, all);
  }

  /**
   * Reads a run; what is in memory stays as it was if the file is not of this model.
   *
   * @return the numbers
   */
  static Map<String, String> read(Path path, Optimizer optimizer) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Safetensors file = Safetensors.read(path, arena);
      Parameters parameters = optimizer.parameters();
      Map<Tensor, Tensor> copies = file.copies(parameters);
      for (Map.Entry<String, Tensor> each : optimizer.state().entrySet()) {
        Tensor to = each.getValue();
        copies.put(to, file.tensor(STATE + each.getKey(), to.shape()));
      }
      int steps = number(path, file, STEPS);
      copies.forEach(Tensor::copyFrom);
      parameters.changed();
      parameters.zeroGradients();
      optimizer.resume(steps);
      return file.metadata();
    }
  }

  private static int number(Path path, Safetensors file, String name) throws IOException {
    try {
      return Integer.parseInt(file.metadata().getOrDefault(name, ""));
    } catch (NumberFormatException e) {
      throw new IOException(
          path + " does not say " + name + ": it is no checkpoint of a training run");
    }
  }
}
