package dev.fovea;

import java.lang.foreign.Arena;
import java.util.Objects;

/** What a low-rank attention reads, and where projected keys and values go, checked. */
record LowRankOperands(
    Tensor query,
    Tensor key,
    Tensor value,
    Tensor keyProjection,
    Tensor valueProjection,
    Tensor projectedKey,
    Tensor projectedValue) {

  /** Without a place for what is projected. */
  LowRankOperands(
      Tensor query, Tensor key, Tensor value, Tensor keyProjection, Tensor valueProjection) {
    this(query, key, value, keyProjection, valueProjection, null, null);
    Objects.requireNonNull(query, "query");
    Check.shape("key", key, "[B, Sk, Hk, D]", Check.ANY, Check.ANY, Check.ANY, Check.ANY);
    long heads = key.size(2);
    Check.shape("value", value, "[B, Sk, Hk, Dv]", key.size(0), key.size(1), heads, Check.ANY);
    long rank = checkProjection("keyProjection", keyProjection, Check.ANY);
    checkProjection("valueProjection", valueProjection, rank);
    Check.dtype("value", value, key.dtype());
    Check.dtype("keyProjection", keyProjection, key.dtype());
    Check.dtype("valueProjection", valueProjection, key.dtype());
  }

  /** Returns R. */
  private long checkProjection(String name, Tensor projection, long rank) {
    if (projection.rank() == 2) {
      Check.shape(name, projection, "[R, Sk]", rank, key.size(1));
    } else {
      Check.broadcastShape(
          name, projection, "[Hk or 1, R, Sk]", dim -> dim == 0, key.size(2), rank, key.size(1));
    }
    return projection.size(projection.rank() - 2);
  }

  private long rank() {
    return keyProjection.size(keyProjection.rank() - 2);
  }

  /** [B, R, Hk, D or Dv] of what is projected. */
  private long[] projectedShape(Tensor of) {
    return new long[] {key.size(0), rank(), key.size(2), of.size(3)};
  }

  /**
   * New tensors of that type, shaped as projected keys and values, that go when nobody has them.
   */
  Tensor[] allocate(DType dtype) {
    Scope scope = Scope.over(Arena.ofAuto(), key.device());
    return new Tensor[] {
      scope.allocate(dtype, projectedShape(key)), scope.allocate(dtype, projectedShape(value))
    };
  }

  LowRankOperands allocated() {
    Tensor[] projected = allocate(key.dtype());
    return projectedTo(projected[0], projected[1]);
  }

  LowRankOperands projectedTo(Tensor projectedKey, Tensor projectedValue) {
    checkProjected("projectedKey", projectedKey, key);
    checkProjected("projectedValue", projectedValue, value);
    Check.dtype("projectedKey", projectedKey, key.dtype());
    Check.dtype("projectedValue", projectedValue, key.dtype());
    return new LowRankOperands(
        query, key, value, keyProjection, valueProjection, projectedKey, projectedValue);
  }

  /** Checks the shape of projected keys or values, or of their gradient. */
  void checkProjected(String name, Tensor projected, Tensor of) {
    Check.shape(name, projected, "[B, R, Hk, " + (of == key ? "D]" : "Dv]"), projectedShape(of));
  }

  @Override
  public String toString() {
    return "query %s, key %s, value %s, keyProjection %s, valueProjection %s"
        .formatted(
            query.description(),
            key.description(),
            value.description(),
            keyProjection.description(),
            valueProjection.description());
  }
}
