package dev.fovea;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The tensors of one kind of run, by the name that messages call them. */
abstract class OperandSet {
  /** Only the owner of a confined arena gets at its segments; this thread never is one. */
  private static final Thread SOME_OTHER_THREAD = Thread.ofVirtual().unstarted(() -> {});

  /** As native calls take it. */
  static MemorySegment segment(Tensor tensor) {
    return tensor == null ? MemorySegment.NULL : tensor.rawSegment();
  }

  /** Where all lie: that of query. */
  abstract Device device();

  /** What a run reads; null where absent. A new map. */
  abstract Map<String, Tensor> read();

  /** What a run writes; null where absent. A new map. */
  abstract Map<String, Tensor> written();

  /** As a run takes them: what is read, then what is written, in the order of the operation. */
  MemorySegment[] addresses() {
    return java.util.stream.Stream.concat(read().values().stream(), written().values().stream())
        .map(OperandSet::segment)
        .toArray(MemorySegment[]::new);
  }

  /** Those that are there. */
  Map<String, Tensor> present() {
    Map<String, Tensor> present = new LinkedHashMap<>(read());
    present.putAll(written());
    present.values().removeIf(tensor -> tensor == null);
    return present;
  }

  /** Names and tensors, for people. */
  static String describe(Map<String, Tensor> operands) {
    return operands.entrySet().stream()
        .filter(operand -> operand.getValue() != null)
        .map(operand -> operand.getKey() + " " + operand.getValue().description())
        .collect(Collectors.joining(", "));
  }

  /** The scopes that own the operands, each once. */
  Scope[] scopes() {
    Set<Scope> scopes = new LinkedHashSet<>();
    present().values().forEach(tensor -> scopes.add(tensor.scope()));
    scopes.remove(null);
    return scopes.toArray(Scope[]::new);
  }

  /** True if threads other than this one may read and write all operands. */
  boolean accessibleByAll() {
    return present().values().stream()
        .allMatch(tensor -> tensor.rawSegment().isAccessibleBy(SOME_OTHER_THREAD));
  }

  /** Checks that all lie where {@code device}, that of query, gets at them. */
  void checkDevice(Device device) {
    present()
        .forEach(
            (name, tensor) -> {
              if (!tensor.device().sharesMemoryWith(device)) {
                throw new IllegalArgumentException(
                    "%s is on %s, expected the device of query, %s"
                        .formatted(name, tensor.device(), device));
              }
            });
  }

  /**
   * Checks that what a run writes may be written, and shares no element with any other operand.
   * That no two elements of it are the same is for the planner to check.
   */
  void checkWritable() {
    Map<String, Tensor> all = present();
    written()
        .forEach(
            (name, tensor) -> {
              if (tensor != null) {
                checkWritable(name, tensor, all);
              }
            });
  }

  private static void checkWritable(String name, Tensor tensor, Map<String, Tensor> all) {
    if (tensor.rawSegment().isReadOnly()) {
      throw new IllegalArgumentException(name + " is over a read-only segment");
    }
    all.forEach(
        (otherName, other) -> {
          if (!otherName.equals(name) && Overlap.between(tensor, other)) {
            throw new IllegalArgumentException(
                "%s shares memory with %s: what a run writes must not overlap any other operand"
                    .formatted(name, otherName));
          }
        });
  }
}
