package dev.fovea.testkit.fuzz;

import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.List;

/** A run of an object that has been through much, beside one of a new object. */
final class Differential {

  private Differential() {}

  /** Throws what {@code old} throws; an error where the two differ or write elsewhere. */
  static void run(Heap heap, List<Tensor> written, Runnable old, Runnable fresh) {
    if (!usable(written)) {
      old.run();
      return;
    }
    List<byte[]> before = Calls.bits(written);
    byte[] all = heap.snapshot();
    RuntimeException refusal = attempt(old);
    heap.onlyChanged(all, written);
    List<byte[]> after = Calls.bits(written);
    Calls.restore(written, before);
    RuntimeException freshRefusal = attempt(fresh);
    if (refusal == null && freshRefusal != null) {
      throw new AssertionError("a new object refuses what an old one does", freshRefusal);
    }
    if (refusal == null && !same(after, Calls.bits(written))) {
      throw new AssertionError("an old object has another result than a new one");
    }
    if (refusal != null && freshRefusal == null && !(refusal instanceof IllegalStateException)) {
      throw new AssertionError("an old object refuses what a new one does", refusal);
    }
    if (refusal != null) {
      throw refusal;
    }
  }

  private static RuntimeException attempt(Runnable run) {
    try {
      run.run();
      return null;
    } catch (RuntimeException e) {
      return e;
    }
  }

  private static boolean same(List<byte[]> one, List<byte[]> other) {
    for (int i = 0; i < one.size(); i++) {
      if (!Arrays.equals(one.get(i), other.get(i))) {
        return false;
      }
    }
    return true;
  }

  /** Their memory is there and small: what is to be refused for them need not be compared. */
  private static boolean usable(List<Tensor> written) {
    for (Tensor tensor : written) {
      try {
        tensor.segment();
      } catch (RuntimeException closed) {
        return false;
      }
      if (!tensor.segment().scope().isAlive() || tensor.elements() > 100_000) {
        return false;
      }
    }
    return true;
  }
}
