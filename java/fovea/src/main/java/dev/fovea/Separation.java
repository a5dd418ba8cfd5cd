package dev.fovea;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Tensors that several runs read and write in turn: none knows of the others', and what one writes
 * another reads.
 */
final class Separation {
  private final Map<String, Tensor> read = new LinkedHashMap<>();
  private final Map<String, Tensor> written = new LinkedHashMap<>();

  /** Null for none. */
  Separation read(String name, Tensor tensor) {
    return put(read, name, tensor);
  }

  /** Null for none. */
  Separation written(String name, Tensor tensor) {
    return put(written, name, tensor);
  }

  private Separation put(Map<String, Tensor> tensors, String name, Tensor tensor) {
    if (tensor != null) {
      tensors.put(name, tensor);
    }
    return this;
  }

  /**
   * Checks that what is written shares no element with anything else.
   *
   * @throws IllegalArgumentException if it does
   */
  void check() {
    written.forEach(
        (name, tensor) -> {
          read.forEach((other, it) -> check(name, tensor, other, it));
          written.forEach(
              (other, it) -> {
                if (!other.equals(name)) {
                  check(name, tensor, other, it);
                }
              });
        });
  }

  private static void check(String name, Tensor tensor, String other, Tensor it) {
    if (tensor.device().sharesMemoryWith(it.device())) {
      Overlap.check(name, tensor, other, it);
    }
  }
}
