package dev.fovea.nn;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * What stacks of layers have alike.
 *
 * @param <L> the layers
 */
abstract sealed class TransformerStack<L extends TransformerLayer> extends Module
    permits TransformerEncoder, TransformerDecoder, TransformerXl {
  private final List<L> layers = new ArrayList<>();
  private final Norm norm; // null: each layer ends with one

  TransformerStack(
      TransformerConfig config, int layers, int distinct, Function<TransformerConfig, L> make) {
    if (distinct < 1 || distinct > layers) {
      throw new IllegalArgumentException(
          "%d layers of which %d are distinct: expected at least 1, and no more than layers"
              .formatted(layers, distinct));
    }
    Layers<L> own = child("layers", new Layers<>());
    for (int i = 0; i < layers; i++) {
      this.layers.add(
          i < distinct ? own.add(i, make.apply(config)) : this.layers.get(i % distinct));
    }
    norm = config.isPostNorm() ? null : child("norm", config.norm());
  }

  private static final class Layers<L extends TransformerLayer> extends Module {
    L add(int i, L layer) {
      return child(Integer.toString(i), layer);
    }
  }

  /** Its layers, the first below; a shared one more than once. */
  public final List<L> layers() {
    return Collections.unmodifiableList(layers);
  }

  final Variable through(Variable x, BiFunction<L, Variable, Variable> layer) {
    Variable stream = x;
    for (L each : layers) {
      stream = layer.apply(each, stream);
    }
    return norm == null ? stream : norm.forward(stream);
  }
}
