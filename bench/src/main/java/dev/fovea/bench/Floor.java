package dev.fovea.bench;

import dev.fovea.testkit.Pass;
import java.util.Map;

/**
 * What a pass needs of the machine at least. The unit that is busy longest with it bounds the pass:
 * no kernel with these operations is faster.
 *
 * @param unit what speeds are counted in, besides seconds
 * @param count how many of them
 * @param work for each unit of the machine that may be what holds the pass
 */
record Floor(String unit, double count, Map<MachineUnit, Double> work) {

  /** What so many floating-point operations need. */
  static Floor flops(double flops) {
    return new Floor("FLOP", flops, Map.of(MachineUnit.FLOP, flops));
  }

  /** What so many bytes need that are read or written. */
  static Floor bytes(double bytes) {
    return new Floor("byte", bytes, Map.of(MachineUnit.BYTE, bytes));
  }

  /** What so many bytes need that are read from memory. */
  static Floor reads(double bytes) {
    return new Floor("byte", bytes, Map.of(MachineUnit.READ, bytes));
  }

  /** Of attention whose rows see so many keys in all: two products, five in the backward pass. */
  static Floor products(Pass pass, int headDim, double pairs) {
    return flops(2.0 * headDim * (pass == Pass.BACKWARD ? 5 : 2) * pairs);
  }
}
