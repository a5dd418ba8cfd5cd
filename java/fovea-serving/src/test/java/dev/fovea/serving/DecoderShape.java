package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Device;
import java.util.Random;
import java.util.SplittableRandom;

/**
 * What a decoder without weights is like, and the rows of its tokens, which follow from a token's
 * number alone: not from its place, its batch or its sequence.
 */
final class DecoderShape {
  static final int QUERY = 0;
  static final int KEY = 1;
  static final int VALUE = 2;

  /** What every row that is even has as its largest element. */
  private static final float PEAK = 2;

  DType type = DType.FLOAT32;
  CacheKind kind = CacheKind.FLOAT32;
  int layers = 1;
  int keyHeads = 1;
  int group = 1;
  int headDim = 8;
  int valueHeadDim = 8;
  int rotated; // elements of a key; 0 for none
  int window = -1; // keys to the left; -1 for all
  boolean interleaved;
  boolean even; // rows of keys and values have the same largest magnitude, so that scales agree
  boolean repeated; // key heads are as many as query heads, and equal where those shared one
  boolean alike; // a value is the first elements of its key
  boolean latent; // and is not kept beside it

  static DecoderShape random(Random random, CacheKind kind) {
    DecoderShape shape = new DecoderShape();
    shape.kind = kind;
    DType[] types = {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16};
    shape.type = types[random.nextInt(3)];
    shape.layers = 1 + random.nextInt(2);
    shape.keyHeads = 1 + random.nextInt(3);
    shape.group = 1 + random.nextInt(3);
    shape.headDim = 2 * (1 + random.nextInt(20));
    shape.valueHeadDim = 2 * (1 + random.nextInt(20));
    shape.rotated = random.nextBoolean() ? 0 : 2 * random.nextInt(shape.headDim / 2);
    shape.interleaved = random.nextBoolean();
    shape.window = random.nextInt(3) > 0 ? -1 : random.nextInt(12);
    shape.even = kind.scales() == KvCache.Scales.PAGE;
    return shape;
  }

  DecoderShape copy() {
    DecoderShape copy = new DecoderShape();
    copy.type = type;
    copy.kind = kind;
    copy.layers = layers;
    copy.keyHeads = keyHeads;
    copy.group = group;
    copy.headDim = headDim;
    copy.valueHeadDim = valueHeadDim;
    copy.rotated = rotated;
    copy.window = window;
    copy.interleaved = interleaved;
    copy.even = even;
    copy.repeated = repeated;
    copy.alike = alike;
    copy.latent = latent;
    return copy;
  }

  KvCache.Builder cache(int pageSize, int pages) {
    KvCache.Builder builder =
        KvCache.on(Device.cpu())
            .layers(layers)
            .keyHeads(heads(KEY))
            .headDim(headDim)
            .valueHeadDim(valueHeadDim)
            .type(kind.type())
            .scales(kind.scales())
            .pageSize(pageSize)
            .pages(pages);
    return latent ? builder.latent(valueHeadDim) : builder;
  }

  int heads(int of) {
    return of == QUERY || repeated ? keyHeads * group : keyHeads;
  }

  int width(int of) {
    return of == VALUE ? valueHeadDim : headDim;
  }

  /** Writes the rows of all heads of a token. */
  void write(long token, int layer, int of, float[] to, int at) {
    int width = width(of);
    for (int head = 0; head < heads(of); head++) {
      int same = of != QUERY && repeated ? head / group : head;
      float[] row = row(token, layer, of == VALUE && alike ? KEY : of, same);
      System.arraycopy(row, 0, to, at + head * width, width);
    }
  }

  private float[] row(long token, int layer, int of, int head) {
    long seed = ((token * 64 + layer) * 4 + of) * 64 + head;
    SplittableRandom random = new SplittableRandom(seed * 0x9e3779b97f4a7c15L);
    float[] row = new float[width(of)];
    float size = of == QUERY || even ? 1 : Math.scalb(1f, random.nextInt(5) - 2);
    for (int i = 0; i < row.length; i++) {
      row[i] = size * (float) random.nextDouble(-1, 1);
    }
    if (of != QUERY && even) {
      // Where no rotation reaches it, whose elements are at most the root of 2.
      row[rotated == 0 ? 0 : row.length - 1] = random.nextBoolean() ? PEAK : -PEAK;
    }
    return row;
  }

  @Override
  public String toString() {
    return ("%s, %s, layers %d, key heads %d of %d queries, head dim %d, value head dim %d,"
            + " rotated %d%s, window %d%s%s%s%s")
        .formatted(
            type,
            kind,
            layers,
            keyHeads,
            group,
            headDim,
            valueHeadDim,
            rotated,
            interleaved ? " interleaved" : "",
            window,
            even ? ", even" : "",
            repeated ? ", repeated" : "",
            alike ? ", alike" : "",
            latent ? ", latent" : "");
  }
}
