package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.Tensor;
import dev.fovea.access.Calls;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.nn.Buffers.Buffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * One of Fovea's operations. What it takes and gives, and of what there are gradients, is in the
 * operation's declaration: nothing here is of one operation.
 */
final class OperationNode extends Node {
  /**
   * What an operation's declaration does not say.
   *
   * @param call with all its inputs bound but those that {@code names} has
   * @param names of the inputs, by their order
   * @param outType element type of out
   * @param saved sizes of what a backward pass reads beside out
   * @param gradients the backward pass of a call, from the gradient of out
   * @param seeding sets what dropout draws from; null where nothing is dropped
   */
  record Recipe(
      OperationCall<?> call,
      List<String> names,
      DType outType,
      Map<String, long[]> saved,
      Function<Tensor, OperationBackward<?>> gradients,
      Seeding seeding) {}

  /** Sets what dropout draws from. */
  @FunctionalInterface
  interface Seeding {
    void set(long seed, int offset);
  }

  private final Recipe recipe;
  private final Variable out;
  private final List<Buffer> memory = new ArrayList<>();
  private final long place;

  /** At the {@code place}th place of its tape. */
  OperationNode(Tape tape, int place, Object what, List<Variable> inputs, Recipe recipe) {
    super(what, inputs);
    this.recipe = recipe;
    this.place = place;
    for (int i = 0; i < inputs.size(); i++) {
      Calls.bind(recipe.call, recipe.names.get(i), inputs.get(i).value());
    }
    long[] shape = Calls.outShape(recipe.call);
    out = Variable.of(tape, take(tape, recipe.outType, shape), isDifferentiable());
    recipe.call.out(out.value());
    if (isDifferentiable()) {
      recipe.saved.forEach(
          (name, sizes) -> Calls.bind(recipe.call, name, take(tape, DType.FLOAT32, sizes)));
    }
  }

  private Tensor take(Tape tape, DType dtype, long[] shape) {
    Buffer buffer = tape.take(dtype, shape);
    memory.add(buffer);
    return buffer.tensor();
  }

  @Override
  List<Variable> outputs() {
    return List.of(out);
  }

  @Override
  void run(Tape.Step step) {
    if (recipe.seeding != null) {
      recipe.seeding.set(step.seed() + 0x9E3779B97F4A7C15L * (place + 1), step.number());
    }
    recipe.call.run();
  }

  @Override
  void differentiate(Gradients gradients) {
    OperationBackward<?> backward = recipe.gradients.apply(gradients.of(out));
    List<Runnable> additions = new ArrayList<>();
    for (Operand operand : operands()) {
      int i = recipe.names.indexOf(NativeOperation.original(operand.name()));
      Variable input = i < 0 ? null : inputs().get(i);
      if (Gradients.isWanted(input)) {
        Calls.bind(backward, operand.name(), place(gradients, input, typeOf(operand), additions));
      } else if (operand.present() == null) {
        Tensor unwanted = gradients.take(typeOf(operand), inputs().get(i).shape());
        Calls.bind(backward, operand.name(), unwanted);
      }
    }
    gradients.then(backward::run);
    additions.forEach(gradients::then);
  }

  /** Where an operation writes the gradient of an input, from where it may go on to its place. */
  private static Tensor place(
      Gradients gradients, Variable input, DType type, List<Runnable> additions) {
    Gradients.Target target = gradients.into(input);
    if (target.tensor().dtype() == type && !target.isAdded()) {
      return target.tensor();
    }
    Tensor part = gradients.take(type, input.shape());
    additions.add(() -> target.put(part));
    return part;
  }

  private List<Operand> operands() {
    return Calls.operation(recipe.call).operands(Abi.BACKWARD).stream()
        .filter(Operand::written)
        .toList();
  }

  private DType typeOf(Operand gradient) {
    return gradient.type() == Operand.Type.GRADIENT ? inputs().getFirst().dtype() : DType.FLOAT32;
  }

  @Override
  void free(Buffers buffers) {
    memory.forEach(buffers::give);
  }
}
