package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The tensors that are bound to an operation, by the names of its declaration. */
final class Bindings {
  private final NativeOperation operation;
  private final Map<String, Tensor> tensors;
  private final Map<String, Long> longest; // rows of packed sequences, by size

  Bindings(NativeOperation operation) {
    this(operation, new HashMap<>(), new HashMap<>());
  }

  private Bindings(
      NativeOperation operation, Map<String, Tensor> tensors, Map<String, Long> longest) {
    this.operation = operation;
    this.tensors = tensors;
    this.longest = longest;
  }

  Bindings copy() {
    return new Bindings(operation, new HashMap<>(tensors), new HashMap<>(longest));
  }

  /** Null for none. */
  Bindings set(String name, Tensor tensor) {
    operation.requireOperand(name);
    tensors.put(name, tensor);
    return this;
  }

  /** All that {@code other} has set, null included. */
  Bindings set(Bindings other) {
    tensors.putAll(other.tensors);
    return this;
  }

  /** At least the rows of the longest of packed sequences: the size has that name. */
  Bindings longest(String size, long rows) {
    longest.put(size, rows);
    return this;
  }

  /** Null where it is absent. */
  Tensor get(String name) {
    return tensors.get(operation.requireOperand(name));
  }

  /** That of which most operands have their type. */
  Tensor first() {
    return get(operation.operands(Abi.FORWARD).getFirst().name());
  }

  /** What a pass reads and writes. */
  PassOperands of(int pass) {
    List<PassOperands.Bound> all = new ArrayList<>();
    for (Operand operand : operation.operands(pass)) {
      all.add(new PassOperands.Bound(operand, tensors.get(operand.name())));
    }
    return new PassOperands(operation, pass, all, longest);
  }

  /**
   * Sets a new dense tensor in {@code scope} for each gradient that a backward pass must have, or
   * the first where it must have none, that is not set: float32, or of the type of those that are
   * set, or else of what the first is of.
   */
  Bindings allocateGradients(Scope scope) {
    List<Operand> gradients =
        operation.operands(Abi.BACKWARD).stream().filter(Operand::written).toList();
    List<Operand> needed = gradients.stream().filter(it -> it.present() == null).toList();
    if (needed.isEmpty()) {
      needed = gradients.subList(0, 1);
    }
    DType dtype =
        gradients.stream()
            .filter(it -> it.type() == Operand.Type.GRADIENT)
            .map(it -> tensors.get(it.name()))
            .filter(Objects::nonNull)
            .findFirst()
            .orElse(get(NativeOperation.original(needed.getFirst().name())))
            .dtype();
    for (Operand gradient : needed) {
      if (get(gradient.name()) == null) {
        DType type = gradient.type() == Operand.Type.FLOAT32 ? DType.FLOAT32 : dtype;
        Tensor like = get(NativeOperation.original(gradient.name()));
        set(gradient.name(), scope.allocate(type, like.rawShape()));
      }
    }
    return this;
  }

  /** Names and shapes of what is there. */
  @Override
  public String toString() {
    List<String> all = new ArrayList<>();
    for (String name : operation.operandNames()) {
      Tensor tensor = tensors.get(name);
      if (tensor != null) {
        all.add(PassOperands.javaName(name) + " " + tensor.description());
      }
    }
    return String.join(", ", all);
  }
}
