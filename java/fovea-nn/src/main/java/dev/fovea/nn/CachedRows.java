package dev.fovea.nn;

import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.List;
import java.util.Objects;

/**
 * Rows of sequences whose earlier rows have their keys and values in a cache, in pages: where
 * self-attention of each layer appends and what it reads. The tensors are as {@link
 * CacheAppendCall} and {@link dev.fovea.AttentionCall} take them, and may change between steps.
 *
 * <p>New rows are packed [T, width], sequence behind sequence, or [B, S, width] of which sequence b
 * has the first {@code counts[b]}; what is computed of others is of no use.
 *
 * @param layers what the layers have, the first below
 * @param table pages of sequences, [B, E] {@link DType#INT32}
 * @param longest at least the most rows of a sequence, new ones too; plans depend on it
 * @param starts rows of each sequence that the cache has, [B] {@link DType#INT32}
 * @param counts new rows of each, likewise
 * @param lengths both together, likewise
 * @param offsets where the new rows of each begin, and the last ones end, if they are packed: [B +
 *     1] {@link DType#INT32}
 */
public record CachedRows(
    List<Layer> layers,
    Tensor table,
    long longest,
    Tensor starts,
    Tensor counts,
    Tensor lengths,
    Tensor offsets) {

  /**
   * Keys and values of a layer.
   *
   * @param key [G, Z, Hk, D]: pages of Z rows
   * @param value [G, Z, Hk, Dv] of the same type; may be a part of key
   * @param keyScales what quantized keys are multiplied by, [G, Z or 1, Hk] {@link DType#FLOAT32};
   *     null for none
   * @param valueScales likewise
   */
  public record Layer(Tensor key, Tensor value, Tensor keyScales, Tensor valueScales) {
    /** Checks. */
    public Layer {
      Objects.requireNonNull(key, "key");
      Objects.requireNonNull(value, "value");
    }
  }

  /** Checks. */
  public CachedRows {
    layers = List.copyOf(layers);
    Objects.requireNonNull(table, "table");
    Objects.requireNonNull(starts, "starts");
    Objects.requireNonNull(counts, "counts");
    Objects.requireNonNull(lengths, "lengths");
    Objects.requireNonNull(offsets, "offsets");
  }

  private Layer layer(int i) {
    if (i >= layers.size()) {
      throw new IllegalArgumentException(
          "the cache has %d layers, expected more than %d".formatted(layers.size(), i));
    }
    return layers.get(i);
  }

  /** What writes the keys and values of a layer. */
  CacheAppendCall append(Tensor key, Tensor value, int layer) {
    Layer it = layer(layer);
    CacheAppendCall call =
        CacheAppend.create()
            .call(key, starts, it.key)
            .value(value, it.value)
            .scales(it.keyScales, it.valueScales)
            .pages(table, longest);
    return key.rank() == 3 ? call.cuSeqlens(offsets, key.size(0)) : call.lengths(counts);
  }

  Variable key(Tape tape, int layer) {
    return tape.constant(layer(layer).key);
  }

  Variable value(Tape tape, int layer) {
    return tape.constant(layer(layer).value);
  }

  /**
   * Adds to what attention takes.
   *
   * @param packed the number of rows; negative: they are not packed
   */
  Operands addTo(Operands more, Tape tape, int layer, long packed) {
    Layer it = layer(layer);
    more.paged(tape.constant(table), longest).with("key_lengths", tape.constant(lengths));
    if (packed >= 0) {
      more.packed(tape.constant(offsets), packed);
    } else {
      more.with("query_lengths", tape.constant(counts));
    }
    if (it.keyScales != null) {
      more.with("key_scales", tape.constant(it.keyScales))
          .with("value_scales", tape.constant(it.valueScales));
    }
    return more;
  }
}
