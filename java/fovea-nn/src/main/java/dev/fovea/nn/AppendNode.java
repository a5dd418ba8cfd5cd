package dev.fovea.nn;

import dev.fovea.CacheAppendCall;
import java.util.List;

/** Writes keys and values to a cache. Nothing comes out. */
final class AppendNode extends Node {
  private final CacheAppendCall call;

  AppendNode(Object what, List<Variable> inputs, CachedRows rows, int layer) {
    super(what, inputs);
    if (isDifferentiable()) {
      throw new IllegalStateException(
          "there are no gradients through a cache: expected a tape for inference");
    }
    call = rows.append(inputs.get(0).value(), inputs.get(1).value(), layer);
    call.parallelism(inputs.get(0).tape().parallelism());
  }

  @Override
  List<Variable> outputs() {
    return List.of();
  }

  @Override
  void run(Tape.Step step) {
    call.run();
  }

  @Override
  void differentiate(Gradients gradients) {}

  @Override
  void free(Buffers buffers) {}
}
