package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;

/** Where a decoder keeps what it has: pages of a cache, or one tensor for each layer. */
interface Place {
  Tensor key(int layer);

  Tensor value(int layer);

  Tensor keyScales(int layer);

  Tensor valueScales(int layer);

  /** Null for no pages. */
  Tensor table();

  int longest();

  Tensor starts();

  Tensor counts();

  Tensor lengths();

  void extend(int... tokens);

  void commit();

  /** Slots of a batch, with garbage in all entries of its table but those of pages that it has. */
  record Paged(KvCache cache, KvBatch batch) implements Place {
    private static final int[] GARBAGE = {-7, Integer.MAX_VALUE, Integer.MIN_VALUE, 1 << 30};

    /** A new sequence in every slot, in a cache of nothing but poison. */
    static Paged of(KvCache cache, int slots) {
      CacheKind.poison(cache);
      Paged paged = new Paged(cache, cache.batch(slots));
      for (int slot = 0; slot < slots; slot++) {
        paged.batch.put(slot, cache.open());
      }
      return paged;
    }

    @Override
    public Tensor key(int layer) {
      return cache.key(layer);
    }

    @Override
    public Tensor value(int layer) {
      return cache.value(layer);
    }

    @Override
    public Tensor keyScales(int layer) {
      return cache.keyScales(layer);
    }

    @Override
    public Tensor valueScales(int layer) {
      return cache.valueScales(layer);
    }

    @Override
    public Tensor table() {
      return batch.table();
    }

    @Override
    public int longest() {
      return cache.longest();
    }

    @Override
    public Tensor starts() {
      return batch.starts();
    }

    @Override
    public Tensor counts() {
      return batch.counts();
    }

    @Override
    public Tensor lengths() {
      return batch.lengths();
    }

    @Override
    public void extend(int... tokens) {
      batch.extend(tokens);
      for (int slot = 0; slot < batch.size(); slot++) {
        int used = Math.ceilDiv(batch.lengths().getInt(slot), cache.pageSize());
        for (int i = 0; i < batch.table().size(1); i++) {
          if (i >= used || batch.table().getInt(slot, i) < 0) {
            batch.table().setInt(GARBAGE[(slot + i) % GARBAGE.length], slot, i);
          }
        }
      }
    }

    @Override
    public void commit() {
      batch.commit();
    }
  }

  /** Tensors [B, Sk, Hk, D], in memory of a scope. */
  final class Plain implements Place {
    private final DecoderShape shape;
    private final int longest;
    private final Tensor[] keys;
    private final Tensor[] values;
    private final Tensor[] keyScales;
    private final Tensor[] valueScales;
    private final Tensor starts;
    private final Tensor counts;
    private final Tensor lengths;

    Plain(Scope scope, DecoderShape shape, int slots, int longest) {
      this.shape = shape;
      this.longest = longest;
      keys = tensors(scope, slots, shape.headDim);
      values = tensors(scope, slots, shape.valueHeadDim);
      keyScales = scales(scope, slots);
      valueScales = scales(scope, slots);
      starts = scope.allocate(DType.INT32, slots);
      counts = scope.allocate(DType.INT32, slots);
      lengths = scope.allocate(DType.INT32, slots);
      for (Tensor tensor : new Tensor[] {starts, counts, lengths}) {
        tensor.copyFrom(new int[slots]);
      }
    }

    private Tensor[] tensors(Scope scope, int slots, int width) {
      DType type = shape.kind.type();
      Tensor[] all = new Tensor[shape.layers];
      for (int layer = 0; layer < all.length; layer++) {
        int heads = shape.heads(DecoderShape.KEY);
        all[layer] = scope.allocate(type, slots, longest, heads, width / type.packedValues());
        CacheKind.poison(all[layer]);
      }
      return all;
    }

    private Tensor[] scales(Scope scope, int slots) {
      Tensor[] all = new Tensor[shape.layers];
      KvCache.Scales of = shape.kind.scales();
      for (int layer = 0; layer < all.length && of != KvCache.Scales.NONE; layer++) {
        int rows = of == KvCache.Scales.PAGE ? 1 : longest;
        all[layer] = scope.allocate(DType.FLOAT32, slots, rows, shape.heads(DecoderShape.KEY));
        CacheKind.poison(all[layer]);
      }
      return all;
    }

    @Override
    public Tensor key(int layer) {
      return keys[layer];
    }

    @Override
    public Tensor value(int layer) {
      return values[layer];
    }

    @Override
    public Tensor keyScales(int layer) {
      return keyScales[layer];
    }

    @Override
    public Tensor valueScales(int layer) {
      return valueScales[layer];
    }

    @Override
    public Tensor table() {
      return null;
    }

    @Override
    public int longest() {
      return longest;
    }

    @Override
    public Tensor starts() {
      return starts;
    }

    @Override
    public Tensor counts() {
      return counts;
    }

    @Override
    public Tensor lengths() {
      return lengths;
    }

    @Override
    public void extend(int... tokens) {
      starts.copyFrom(lengths);
      counts.copyFrom(tokens);
      for (int slot = 0; slot < tokens.length; slot++) {
        lengths.setInt(starts.getInt(slot) + tokens[slot], slot);
      }
    }

    @Override
    public void commit() {}
  }
}
