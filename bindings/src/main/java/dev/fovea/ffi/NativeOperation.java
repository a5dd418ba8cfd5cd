package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** An operation of {@code fovea.h}: its operands, and its calls. Made from its declaration. */
public abstract class NativeOperation {
  private final String name;
  private final int id;
  private final StructLayout spec;
  private final List<Operand.Size> sizes;
  private final Operand.Pages pages;
  private final List<Operand> forward;
  private final List<Operand> backward;
  private final Set<String> names = new LinkedHashSet<>(); // of both passes
  private final Set<String> inputs;
  private final boolean saves; // asked for by every run
  private final Field.Int32 pass;
  private final Field.Int32 dtype;
  private final Field.Int32 cacheDType;
  private final Field.Int32 outDType;
  private final Field.Int32 gradientDType;
  private final Field.Int32 accumulate;
  private final Field.Int32 deterministic;

  /** One without a backward pass. */
  NativeOperation(
      String name,
      int id,
      StructLayout spec,
      List<Operand.Size> sizes,
      Operand.Pages pages,
      List<Operand> forward) {
    this(name, id, spec, sizes, pages, forward, List.of());
  }

  NativeOperation(
      String name,
      int id,
      StructLayout spec,
      List<Operand.Size> sizes,
      Operand.Pages pages,
      List<Operand> forward,
      List<Operand> backward) {
    this.name = name;
    this.id = id;
    this.spec = spec;
    this.sizes = sizes;
    this.pages = pages;
    this.forward = forward;
    this.backward = backward;
    forward.forEach(it -> names.add(it.name()));
    backward.forEach(it -> names.add(it.name()));
    inputs =
        forward.stream()
            .filter(it -> !it.written())
            .map(Operand::name)
            .collect(Collectors.toUnmodifiableSet());
    saves = backward.stream().anyMatch(it -> isSaved(it.name()));
    pass = Field.Int32.of(spec, "pass");
    dtype = Field.Int32.of(spec, "dtype");
    boolean caches = forward.stream().anyMatch(it -> it.type() == Operand.Type.CACHE);
    cacheDType = caches ? Field.Int32.of(spec, "cache_dtype") : null;
    outDType = Field.Int32.of(spec, "out_dtype");
    gradientDType = Field.Int32.of(spec, "gradient_dtype");
    accumulate = hasBackward() ? Field.Int32.of(spec, "accumulate") : null;
    deterministic = hasBackward() ? Field.Int32.of(spec, "deterministic") : null;
  }

  /** In C: {@code "attention"}. */
  public final String name() {
    return name;
  }

  /** As a plan numbers it. */
  public final int id() {
    return id;
  }

  /** The block of its numbers. */
  public final StructLayout spec() {
    return spec;
  }

  /** Which pass a spec is of. */
  public final Field.Int32 pass() {
    return pass;
  }

  /** Element type of the first operand, in a spec. */
  public final Field.Int32 dtype() {
    return dtype;
  }

  /** Element type of a cache, in a spec; null where the operation has none. */
  public final Field.Int32 cacheDType() {
    return cacheDType;
  }

  /** Element type of out, in a spec. */
  public final Field.Int32 outDType() {
    return outDType;
  }

  /** Element type of gradients, in a spec. */
  public final Field.Int32 gradientDType() {
    return gradientDType;
  }

  /** The word of that name in a spec. */
  public final Field.Int32 int32(String field) {
    return Field.Int32.of(spec, field);
  }

  /** The int64 of that name in a spec. */
  public final Field.Int64 int64(String field) {
    return Field.Int64.of(spec, field);
  }

  /** The float of that name in a spec. */
  public final Field.Float32 float32(String field) {
    return Field.Float32.of(spec, field);
  }

  /** Whether gradients are added to what is there, in a spec; null without a backward pass. */
  public final Field.Int32 accumulate() {
    return accumulate;
  }

  /** Whether every run gives the same bits, in a spec; null without a backward pass. */
  public final Field.Int32 deterministic() {
    return deterministic;
  }

  /** A new block of its numbers, zeroed, that knows its size. */
  public final MemorySegment allocateSpec(Arena arena) {
    MemorySegment block = arena.allocate(spec);
    block.set(ValueLayout.JAVA_INT, 0, (int) spec.byteSize());
    return block;
  }

  /** Its dimensions; the first is the batch. */
  public final List<Operand.Size> sizes() {
    return sizes;
  }

  /** How rows may lie in pages; null if they never do. */
  public final Operand.Pages pages() {
    return pages;
  }

  /** The same where a spec has them in pages; else null. */
  public final Operand.Pages pages(MemorySegment block) {
    return pages != null && pages.present().get(block) != 0 ? pages : null;
  }

  /**
   * Sizes of a spec by their symbols, for people: {@code "B 2, Sq 128, ..."}; with the rows of all
   * sequences where they are packed, and without those of operands that are absent.
   */
  public final String describeSizes(MemorySegment block) {
    List<String> all = new ArrayList<>();
    for (Operand.Size size : sizes) {
      if (size.rows().get(block) == 0 && isOptional(size)) {
        continue;
      }
      all.add(size.symbol() + " " + size.rows().get(block));
      if (size.total() != null && size.total().get(block) != 0) {
        all.add(size.totalSymbol() + " " + size.total().get(block));
      }
    }
    return String.join(", ", all);
  }

  /** True if only operands that may be absent have it. */
  private boolean isOptional(Operand.Size size) {
    return forward.stream()
        .filter(it -> it.present() == null)
        .flatMap(it -> it.dims().stream())
        .noneMatch(it -> it.size() == size);
  }

  /** True if sequences may be packed. */
  public final boolean packs() {
    return sizes.stream().anyMatch(size -> size.total() != null);
  }

  /** Of both passes. */
  public final Set<String> operandNames() {
    return Collections.unmodifiableSet(names);
  }

  /** The same name: a misspelt one would be an operand that is never there. */
  public final String requireOperand(String operand) {
    if (!names.contains(operand)) {
      throw new IllegalArgumentException(name + " has no operand " + operand);
    }
    return operand;
  }

  /** What a gradient is of: {@code "query"} of {@code "dquery"}. */
  public static String original(String gradient) {
    return gradient.substring(1);
  }

  /** True for that of an operand of the forward pass, {@code "dquery"}. */
  public final boolean isGradient(String operand) {
    return !inputs.contains(operand)
        && operand.startsWith("d")
        && names.contains(original(operand));
  }

  /** True for what a backward pass reads that its forward wrote. */
  public final boolean isSaved(String operand) {
    return backward.stream().anyMatch(it -> it.name().equals(operand) && !it.written())
        && !inputs.contains(operand)
        && !isGradient(operand);
  }

  /** True if a backward pass reads anything that its forward wrote. */
  public final boolean saves() {
    return saves;
  }

  /** False if nothing of it has a gradient. */
  public final boolean hasBackward() {
    return !backward.isEmpty();
  }

  /** Operands of a pass, in the order of arguments; none of one that it does not have. */
  public final List<Operand> operands(int pass) {
    return pass == Abi.FORWARD ? forward : backward;
  }

  /** That of a pass, by its name. */
  public final Operand operand(int pass, String operand) {
    return operands(pass).stream()
        .filter(it -> it.name().equals(operand))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(name + " has no operand " + operand));
  }

  /**
   * Runs items: calls {@code function}, {@link NativeLibrary#runFunction}, with the operands of
   * that pass in their order, absent ones {@link MemorySegment#NULL}. Returns a status of {@link
   * Abi}.
   */
  public final int run(
      int pass,
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream) {
    try {
      return pass == Abi.FORWARD
          ? forward(function, plan, call, operands, workspace, scratch, stream)
          : backward(function, plan, call, operands, workspace, scratch, stream);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_run_<name>}. */
  abstract int forward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable;

  /** {@code fovea_run_<name>_backward}, of one that has that. */
  int backward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable {
    throw new UnsupportedOperationException(name + " has no backward pass");
  }

  @Override
  public final String toString() {
    return name;
  }
}
