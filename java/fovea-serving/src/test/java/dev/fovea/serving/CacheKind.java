package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.serving.KvCache.Scales;

/** The types of caches with the scales that they may have. */
enum CacheKind {
  FLOAT32(DType.FLOAT32, Scales.NONE),
  FLOAT16(DType.FLOAT16, Scales.NONE),
  BFLOAT16(DType.BFLOAT16, Scales.NONE),
  INT8_TOKEN(DType.INT8, Scales.TOKEN),
  INT8_PAGE(DType.INT8, Scales.PAGE),
  INT4_TOKEN(DType.INT4X2, Scales.TOKEN),
  INT4_PAGE(DType.INT4X2, Scales.PAGE),
  FLOAT8(DType.FLOAT8_E4M3, Scales.NONE),
  FLOAT8_TOKEN(DType.FLOAT8_E4M3, Scales.TOKEN),
  FLOAT8_PAGE(DType.FLOAT8_E4M3, Scales.PAGE);

  private final DType type;
  private final Scales scales;

  CacheKind(DType type, Scales scales) {
    this.type = type;
    this.scales = scales;
  }

  DType type() {
    return type;
  }

  Scales scales() {
    return scales;
  }

  /** Fills keys, values or scales with what no result may show: NaN, where the type has one. */
  static void poison(Tensor tensor) {
    if (tensor == null) {
      return;
    }
    switch (tensor.dtype()) {
      case FLOAT8_E4M3 -> tensor.fill(0x7f);
      case INT8, INT4X2 -> tensor.fill(0x5a);
      default -> tensor.fill(Float.NaN);
    }
  }

  /** Poisons all layers of a cache. */
  static void poison(KvCache cache) {
    for (int layer = 0; layer < cache.layers(); layer++) {
      poison(cache.key(layer));
      poison(cache.value(layer));
      poison(cache.keyScales(layer));
      poison(cache.valueScales(layer));
    }
  }
}
