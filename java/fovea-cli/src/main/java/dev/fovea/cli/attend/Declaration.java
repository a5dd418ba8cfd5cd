package dev.fovea.cli.attend;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Size;
import java.lang.foreign.MemoryLayout;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a mechanism takes and gives: that of an operation of {@code fovea.h}, or of several that are
 * one to its users.
 *
 * @param name as in C
 * @param batch the size that lengths are one for each of
 * @param forward what that pass reads and writes
 * @param backward likewise
 * @param numbers names of options that it has beside operands
 * @param pages how rows may lie in pages; null if they never do
 */
record Declaration(
    String name,
    Size batch,
    List<Operand> forward,
    List<Operand> backward,
    Set<String> numbers,
    Operand.Pages pages) {

  static Declaration of(NativeOperation operation) {
    return new Declaration(
        operation.name(),
        operation.sizes().getFirst(),
        operation.operands(Abi.FORWARD),
        operation.operands(Abi.BACKWARD),
        operation.spec().memberLayouts().stream()
            .map(MemoryLayout::name)
            .flatMap(Optional::stream)
            .collect(Collectors.toSet()),
        operation.pages());
  }

  /** Of both passes, each once. */
  List<Operand> operands() {
    Map<String, Operand> all = new LinkedHashMap<>();
    Stream.concat(forward.stream(), backward.stream())
        .forEach(it -> all.putIfAbsent(it.name(), it));
    return List.copyOf(all.values());
  }

  private Set<String> names() {
    return operands().stream().map(Operand::name).collect(Collectors.toSet());
  }

  private Set<String> inputs() {
    return forward.stream()
        .filter(it -> !it.written())
        .map(Operand::name)
        .collect(Collectors.toCollection(HashSet::new));
  }

  /** The same name. */
  String requireOperand(String operand) {
    if (!names().contains(operand)) {
      throw new IllegalArgumentException(name + " has no operand " + operand);
    }
    return operand;
  }

  boolean isGradient(String operand) {
    return !inputs().contains(operand)
        && operand.startsWith("d")
        && names().contains(NativeOperation.original(operand));
  }

  /** True for what a backward pass reads that its forward wrote. */
  boolean isSaved(String operand) {
    return backward.stream().anyMatch(it -> it.name().equals(operand) && !it.written())
        && !inputs().contains(operand)
        && !isGradient(operand);
  }

  /** True if that is an operand of it, one as it is afterwards, or a number. */
  boolean has(String word) {
    return names().contains(word)
        || numbers.contains(word)
        || operands().stream().anyMatch(it -> it.inPlace() && result(it).equals(word));
  }

  /** The name of a result: what is written in place is read under its own. */
  static String result(Operand operand) {
    return operand.inPlace() ? "new_" + operand.name() : operand.name();
  }
}
