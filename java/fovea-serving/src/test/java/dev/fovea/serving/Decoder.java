package dev.fovea.serving;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.RotaryTables;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Does with a place what a decoder does: for each layer it appends keys and values, and attends.
 */
final class Decoder implements AutoCloseable {
  private static final int POSITIONS = 128;

  private final DecoderShape shape;
  private final Place place;
  private final boolean packed;
  private final Scope scope = Scope.open();
  private final Attention attention;
  private final CacheAppend append;
  private final RotaryTables rotary; // null: none

  /**
   * One of a place.
   *
   * @param packed new tokens of all slots lie end to end, and are not padded
   */
  Decoder(DecoderShape shape, Place place, boolean packed) {
    this.shape = shape;
    this.place = place;
    this.packed = packed;
    Attention.Builder builder = Attention.builder().causal();
    attention = (shape.window < 0 ? builder : builder.window(shape.window, 0)).build();
    boolean interleaved = shape.rotated > 0 && shape.interleaved;
    append = interleaved ? CacheAppend.create().interleaved() : CacheAppend.create();
    rotary =
        shape.rotated == 0
            ? null
            : RotaryTables.of(scope, POSITIONS, shape.rotated, RotaryTables.BASE);
  }

  /** All steps; for each slot what all its tokens gave, one behind another. */
  static float[][] run(DecoderShape shape, Place place, boolean packed, List<long[][]> steps) {
    try (Decoder decoder = new Decoder(shape, place, packed)) {
      float[][] all = new float[steps.getFirst().length][0];
      for (long[][] step : steps) {
        float[][] outs = decoder.step(step);
        for (int slot = 0; slot < all.length; slot++) {
          int before = all[slot].length;
          all[slot] = Arrays.copyOf(all[slot], before + outs[slot].length);
          System.arraycopy(outs[slot], 0, all[slot], before, outs[slot].length);
        }
      }
      return all;
    }
  }

  /**
   * Adds tokens to each slot.
   *
   * @return for each slot the results of its tokens, those of all layers of a token together
   */
  float[][] step(long[][] tokens) {
    int slots = tokens.length;
    int[] counts = Arrays.stream(tokens).mapToInt(it -> it.length).toArray();
    int most = Arrays.stream(counts).max().getAsInt();
    int[] offsets = new int[slots + 1];
    for (int slot = 0; slot < slots; slot++) {
      offsets[slot + 1] = offsets[slot] + counts[slot];
    }
    place.extend(counts);
    int each = shape.heads(DecoderShape.QUERY) * shape.valueHeadDim;
    float[][] outs = new float[slots][];
    for (int slot = 0; slot < slots; slot++) {
      outs[slot] = new float[counts[slot] * shape.layers * each];
    }
    try (Scope step = scope.child()) {
      Tensor cu = step.copyOf(offsets, slots + 1);
      for (int layer = 0; layer < shape.layers; layer++) {
        append(step, layer, tokens, offsets, most, cu);
        float[] out = attend(step, layer, tokens, offsets, most, cu);
        for (int slot = 0; slot < slots; slot++) {
          for (int i = 0; i < counts[slot]; i++) {
            int from = row(offsets, most, slot, i) * each;
            System.arraycopy(out, from, outs[slot], (i * shape.layers + layer) * each, each);
          }
        }
      }
    }
    place.commit();
    for (float[] of : outs) {
      for (float value : of) {
        if (!Float.isFinite(value)) {
          throw new AssertionError("a result has " + value);
        }
      }
    }
    return outs;
  }

  /** Its place, where that is pages. */
  Place.Paged paged() {
    return (Place.Paged) place;
  }

  private int row(int[] offsets, int most, int slot, int i) {
    return packed ? offsets[slot] + i : slot * most + i;
  }

  /** Rows of new tokens; padding is NaN. */
  private Tensor rows(Scope step, int layer, int of, long[][] tokens, int[] offsets, int most) {
    int heads = shape.heads(of);
    int width = shape.width(of);
    int rows = packed ? offsets[tokens.length] : tokens.length * most;
    float[] values = new float[rows * heads * width];
    Arrays.fill(values, Float.NaN);
    for (int slot = 0; slot < tokens.length; slot++) {
      for (int i = 0; i < tokens[slot].length; i++) {
        int at = row(offsets, most, slot, i) * heads * width;
        shape.write(tokens[slot][i], layer, of, values, at);
      }
    }
    return packed
        ? step.copyOf(values, shape.type, rows, heads, width)
        : step.copyOf(values, shape.type, tokens.length, most, heads, width);
  }

  private void append(Scope step, int layer, long[][] tokens, int[] offsets, int most, Tensor cu) {
    Tensor key = rows(step, layer, DecoderShape.KEY, tokens, offsets, most);
    CacheAppendCall call = append.call(key, place.starts(), place.key(layer));
    if (!shape.latent) {
      Tensor value = rows(step, layer, DecoderShape.VALUE, tokens, offsets, most);
      call.value(value, place.value(layer));
    }
    call.scales(place.keyScales(layer), shape.latent ? null : place.valueScales(layer));
    if (packed) {
      call.cuSeqlens(cu, most);
    } else {
      call.lengths(place.counts());
    }
    if (rotary != null) {
      call.rotary(rotary);
    }
    if (place.table() != null) {
      call.pages(place.table(), place.longest());
    }
    call.run();
  }

  private float[] attend(
      Scope step, int layer, long[][] tokens, int[] offsets, int most, Tensor cu) {
    Tensor query = rows(step, layer, DecoderShape.QUERY, tokens, offsets, most);
    long[] size = query.shape();
    size[size.length - 1] = shape.valueHeadDim;
    Tensor out = step.allocate(shape.type, size).fill(Float.NaN);
    AttentionCall call =
        attention
            .call(query, place.key(layer), place.value(layer))
            .keyLengths(place.lengths())
            .cacheScales(place.keyScales(layer), place.valueScales(layer))
            .out(out);
    if (packed) {
      call.cuSeqlens(cu, most);
    } else {
      call.queryLengths(place.counts());
    }
    if (place.table() != null) {
      call.pages(place.table(), place.longest());
    }
    call.run();
    return out.toFloatArray();
  }

  @Override
  public void close() {
    scope.close();
  }
}
