package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The tensors of one pass of an operation, in the order of its arguments. */
final class PassOperands {
  /** Only the owner of a confined arena gets at its segments; this thread never is one. */
  private static final Thread SOME_OTHER_THREAD = Thread.ofVirtual().unstarted(() -> {});

  private static final Pattern WORD = Pattern.compile("_(.)");

  /** {@code tensor} is null where it is absent. */
  record Bound(Operand operand, Tensor tensor) {
    /** As its setter is called, and messages have it. */
    String name() {
      return javaName(operand.name());
    }
  }

  private final NativeOperation operation;
  private final int pass;
  private final List<Bound> all;
  private final Bindings given;

  PassOperands(NativeOperation operation, int pass, List<Bound> all, Bindings given) {
    this.operation = operation;
    this.pass = pass;
    this.all = List.copyOf(all);
    this.given = given;
  }

  static String javaName(String name) {
    return WORD.matcher(name).replaceAll(it -> it.group(1).toUpperCase(java.util.Locale.ROOT));
  }

  /** What a gradient is of: {@code "dquery"}, {@code "query"}. */
  static String original(String gradient) {
    return gradient.substring(1);
  }

  NativeOperation operation() {
    return operation;
  }

  int pass() {
    return pass;
  }

  List<Bound> all() {
    return all;
  }

  /** At least the rows of the longest of packed sequences. */
  long longest(Operand.Size size) {
    return given.longest(size.name());
  }

  /** What {@code gradient} is the gradient of, or null if that is absent. */
  Tensor original(Bound gradient) {
    return given.get(original(gradient.operand.name()));
  }

  /** True for the gradient of an operand: of out, or one that a backward pass writes. */
  boolean isGradient(Bound it) {
    return pass == Abi.BACKWARD && operation.isGradient(it.operand.name());
  }

  /** These with others in their places. */
  PassOperands with(List<Bound> others) {
    return new PassOperands(operation, pass, others, given);
  }

  /** Where all lie: that of the first. */
  Device device() {
    return all.getFirst().tensor.device();
  }

  /** As native calls take them. */
  MemorySegment[] addresses() {
    return all.stream()
        .map(it -> it.tensor == null ? MemorySegment.NULL : it.tensor.rawSegment())
        .toArray(MemorySegment[]::new);
  }

  private Stream<Bound> present() {
    return all.stream().filter(it -> it.tensor != null);
  }

  /** The scopes that own the operands, each once. */
  Scope[] scopes() {
    Set<Scope> scopes = new LinkedHashSet<>();
    present().forEach(it -> scopes.add(it.tensor.scope()));
    scopes.remove(null);
    return scopes.toArray(Scope[]::new);
  }

  /** True if threads other than this one may read and write all operands. */
  boolean accessibleByAll() {
    return present().allMatch(it -> it.tensor.rawSegment().isAccessibleBy(SOME_OTHER_THREAD));
  }

  /** Checks that nothing is missing, and that all lie where the first does. */
  void check() {
    all.forEach(this::requireTensor);
    Device device = device();
    present()
        .filter(it -> !it.tensor.device().sharesMemoryWith(device))
        .forEach(
            it -> {
              throw new IllegalArgumentException(
                  "%s is on %s, expected the device of %s, %s"
                      .formatted(it.name(), it.tensor.device(), all.getFirst().name(), device));
            });
    if (pass == Abi.BACKWARD) {
      present()
          .filter(it -> isGradient(it) && original(it) == null)
          .forEach(
              it -> {
                throw new IllegalArgumentException(
                    "%s is set, but the call has no %s"
                        .formatted(it.name(), javaName(original(it.operand.name()))));
              });
    }
  }

  private void requireTensor(Bound it) {
    boolean saved = pass == Abi.BACKWARD && operation.isSaved(it.operand.name());
    if (it.tensor != null || (it.operand.present() != null && !saved)) {
      return;
    }
    throw new IllegalStateException(
        saved
            ? it.name() + " of the call is not set: a backward pass reads what its forward wrote"
            : pass == Abi.BACKWARD
                ? it.name() + " is not set: set it, or let backward(scope) allocate it"
                : it.name() + " is not set: a call needs a tensor to write to");
  }

  /**
   * Checks that what a run writes may be written, and shares no element with any other operand.
   * That no two elements of it are the same is for the planner to check.
   */
  void checkWritable() {
    present().filter(it -> it.operand.written()).forEach(this::checkWritable);
  }

  private void checkWritable(Bound written) {
    if (written.tensor.rawSegment().isReadOnly()) {
      throw new IllegalArgumentException(written.name() + " is over a read-only segment");
    }
    present()
        .filter(it -> it != written && Overlap.between(written.tensor, it.tensor))
        .forEach(
            it -> {
              throw new IllegalArgumentException(
                  ("%s shares memory with %s: what a run writes must not overlap any other"
                          + " operand")
                      .formatted(written.name(), it.name()));
            });
  }

  /**
   * The same with positions and heads the other way round in all tensors of rows, or null if these
   * are no such tensors.
   */
  PassOperands swapped() {
    List<Bound> swapped = new ArrayList<>();
    for (Bound it : all) {
      boolean rows = it.operand.isRows();
      if (rows && it.tensor != null && it.tensor.rank() != 4) {
        return null;
      }
      swapped.add(
          rows && it.tensor != null
              ? new Bound(it.operand, it.tensor.permute(0, 2, 1, 3))
              : it);
    }
    return with(swapped);
  }
}
