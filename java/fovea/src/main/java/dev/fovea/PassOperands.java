package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
  private final Map<String, Long> longest;

  /** {@code longest} has the rows of the longest of packed sequences, by the name of the size. */
  PassOperands(NativeOperation operation, int pass, List<Bound> all, Map<String, Long> longest) {
    this.operation = operation;
    this.pass = pass;
    this.all = List.copyOf(all);
    this.longest = Map.copyOf(longest);
  }

  /** A name of a declaration as Java has it: {@code "alibi_slopes"}, {@code "alibiSlopes"}. */
  static String javaName(String name) {
    return WORD.matcher(name).replaceAll(it -> it.group(1).toUpperCase(Locale.ROOT));
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

  /** That which says where all lie, and of which type most are. */
  Bound first() {
    return all.getFirst();
  }

  /** Where packed sequences begin, those of one size, or null if sequences are not packed. */
  Bound offsets() {
    return present()
        .filter(it -> it.operand.type() == Operand.Type.OFFSETS)
        .findFirst()
        .orElse(null);
  }

  /** Where rows lie in pages; else null. */
  Operand.Pages pages() {
    Operand.Pages pages = operation.pages();
    boolean there =
        pages != null && present().anyMatch(it -> it.operand.present() == pages.present());
    return there ? pages : null;
  }

  /** At least the rows of the longest of sequences that are packed or in pages. */
  long longest(Operand.Size size) {
    return longest.getOrDefault(size.name(), 0L);
  }

  /**
   * What {@code gradient} is the gradient of; its tensor is null if that is absent. Null for that
   * of an out which this pass does not read.
   */
  Bound original(Bound gradient) {
    String name = NativeOperation.original(gradient.operand.name());
    return all.stream().filter(it -> it.operand.name().equals(name)).findFirst().orElse(null);
  }

  /** True for the gradient of an operand: of out, or one that a backward pass writes. */
  boolean isGradient(Bound it) {
    return operation.isGradient(it.operand.name());
  }

  /** Where all lie: that of the first. */
  Device device() {
    return first().tensor.device();
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

  /**
   * Checks that nothing is missing, that all lie where the first does, that some result is wanted,
   * and that no gradient is of what is absent.
   *
   * @throws IllegalStateException if an operand is missing, or no result is wanted
   * @throws IllegalArgumentException if one lies elsewhere, or has nothing that it is of
   */
  void check() {
    all.forEach(this::requireTensor);
    if (present().noneMatch(it -> it.operand.written())) {
      throw new IllegalStateException("no gradient is set: a backward pass needs one to write to");
    }
    Device device = device();
    present().forEach(it -> checkDevice(it, device));
    present().filter(this::isGradient).forEach(this::checkOriginal);
  }

  private void checkDevice(Bound it, Device device) {
    if (!it.tensor.device().sharesMemoryWith(device)) {
      throw new IllegalArgumentException(
          "%s is on %s, expected the device of %s, %s"
              .formatted(it.name(), it.tensor.device(), first().name(), device));
    }
  }

  private void checkOriginal(Bound gradient) {
    Bound original = original(gradient);
    if (original != null && original.tensor == null) {
      throw new IllegalArgumentException(
          "%s is set, but the call has no %s".formatted(gradient.name(), original.name()));
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
        .filter(it -> it != written)
        .forEach(it -> Overlap.check(written.name(), written.tensor, it.name(), it.tensor));
  }

  /**
   * The same with positions and heads the other way round in all tensors of rows, or null if these
   * are no such tensors.
   */
  PassOperands swapped() {
    if (!first().operand.isRows()) {
      return null;
    }
    List<Bound> swapped = new ArrayList<>();
    for (Bound it : all) {
      if (!it.operand.isRows() || it.tensor == null) {
        swapped.add(it);
      } else if (it.tensor.rank() == 4) {
        swapped.add(new Bound(it.operand, it.tensor.permute(0, 2, 1, 3)));
      } else {
        return null;
      }
    }
    return new PassOperands(operation, pass, swapped, longest);
  }
}
