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
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * One of Fovea's operations. What it takes and gives, and of what there are gradients, is in the
 * operation's declaration: nothing here is of one operation.
 */
final class OperationNode extends Node {
  /** What an operation's declaration does not say. */
  static final class Recipe {
    private final OperationCall<?> call;
    private final List<String> names;
    private final DType outType;
    private final Function<Tensor, OperationBackward<?>> gradients;
    private Map<String, long[]> saved = Map.of();
    private String given; // beside out; null: nothing
    private long[] givenShape;
    private Seeding seeding; // null: nothing is dropped
    private boolean addsAll;
    private Consumer<OperationBackward<?>> addingFirst; // null: it cannot
    private String passed; // null: none

    /**
     * Of an operation.
     *
     * @param call its inputs are bound by the node
     * @param names of the inputs, by their order
     * @param outType element type of out
     * @param gradients the backward pass of the call, from the gradient of out
     */
    Recipe(
        OperationCall<?> call,
        List<String> names,
        DType outType,
        Function<Tensor, OperationBackward<?>> gradients) {
      this.call = call;
      this.names = names;
      this.outType = outType;
      this.gradients = gradients;
    }

    /** What a backward pass reads beside out, float32, and its sizes. */
    Recipe saving(String name, long... shape) {
      saved = Map.of(name, shape);
      return this;
    }

    /** What comes out beside out, float32, not differentiable, and its sizes. */
    Recipe giving(String name, long... shape) {
      given = name;
      givenShape = shape;
      return this;
    }

    /** What sets where dropout draws from; null where nothing is dropped. */
    Recipe seeded(Seeding how) {
      seeding = how;
      return this;
    }

    /** {@code accumulate} is of all gradients that are always float32, and of no others. */
    Recipe addingAll() {
      addsAll = true;
      return this;
    }

    /** What makes a backward pass add the gradient of the first input to what is there. */
    Recipe addingFirst(Consumer<OperationBackward<?>> how) {
      addingFirst = how;
      return this;
    }

    /** The input whose gradient is that of out. */
    Recipe passing(String input) {
      passed = input;
      return this;
    }
  }

  /** Sets what dropout draws from. */
  @FunctionalInterface
  interface Seeding {
    void set(long seed, int offset);
  }

  private final Recipe recipe;
  private final Variable out;
  private final List<Variable> outputs = new ArrayList<>();
  private final List<Buffer> memory = new ArrayList<>();
  private final long place;

  /** At the {@code place}th place of its tape. */
  OperationNode(Tape tape, int place, Object what, List<Variable> inputs, Recipe recipe) {
    super(what, inputs);
    this.recipe = recipe;
    this.place = place;
    recipe.call.parallelism(tape.parallelism());
    for (int i = 0; i < inputs.size(); i++) {
      Calls.bind(recipe.call, recipe.names.get(i), inputs.get(i).value());
    }
    long[] shape = Calls.outShape(recipe.call);
    out = Variable.of(tape, take(tape, recipe.outType, shape), isDifferentiable());
    recipe.call.out(out.value());
    outputs.add(out);
    if (recipe.given != null) {
      Tensor given = take(tape, DType.FLOAT32, recipe.givenShape);
      Calls.bind(recipe.call, recipe.given, given);
      outputs.add(Variable.of(tape, given, false));
    }
    if (isDifferentiable()) {
      recipe.saved.forEach(
          (name, sizes) -> Calls.bind(recipe.call, name, take(tape, DType.FLOAT32, sizes)));
    }
  }

  private Tensor take(Tape tape, DType dtype, long[] shape) {
    Buffer buffer = leavesPadding() ? tape.takeZeros(dtype, shape) : tape.take(dtype, shape);
    memory.add(buffer);
    return buffer.tensor();
  }

  /** Whether sequences may be shorter than the tensors, or lie in them with gaps. */
  private boolean leavesPadding() {
    return Calls.operation(recipe.call).operands(Abi.FORWARD).stream()
        .anyMatch(it -> it.counts() != null && recipe.names.contains(it.name()));
  }

  @Override
  List<Variable> outputs() {
    return outputs;
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
    Tensor dout = gradients.of(out);
    OperationBackward<?> backward = recipe.gradients.apply(dout);
    backward.accumulate(recipe.addsAll);
    List<Runnable> behind = new ArrayList<>(); // what is recorded when it has been
    boolean any = false;
    for (Operand operand : Calls.operation(recipe.call).operands(Abi.BACKWARD)) {
      if (!operand.written()) {
        continue;
      }
      int i = recipe.names.indexOf(NativeOperation.original(operand.name()));
      Variable input = i < 0 ? null : inputs().get(i);
      if (Gradients.isWanted(input) && !recipe.names.get(i).equals(recipe.passed)) {
        any = true;
        Gradients.Target target = gradients.into(input);
        boolean added = isAdded(operand) || (i == 0 && addsToFirst(target, operand, backward));
        Calls.bind(
            backward, operand.name(), place(gradients, input, operand, target, added, behind));
      } else if (operand.present() == null) {
        Tensor unwanted = gradients.take(typeOf(operand), inputs().get(i).shape());
        Calls.bind(backward, operand.name(), unwanted);
      }
    }
    if (any) {
      gradients.then(backward::run);
      behind.forEach(Runnable::run);
    }
    int passed = recipe.passed == null ? -1 : recipe.names.indexOf(recipe.passed);
    if (passed >= 0 && Gradients.isWanted(inputs().get(passed))) {
      gradients.pass(out, inputs().get(passed));
    }
  }

  private boolean isAdded(Operand operand) {
    return recipe.addsAll && operand.type() == Operand.Type.FLOAT32;
  }

  private boolean addsToFirst(
      Gradients.Target target, Operand operand, OperationBackward<?> backward) {
    boolean adds =
        recipe.addingFirst != null
            && target.isAdded()
            && target.tensor().dtype() == typeOf(operand);
    if (adds) {
      recipe.addingFirst.accept(backward);
    }
    return adds;
  }

  /**
   * Where an operation writes the gradient of an input, from where it may go on to its place.
   *
   * @param added whether it is added to what is there
   */
  private Tensor place(
      Gradients gradients,
      Variable input,
      Operand operand,
      Gradients.Target target,
      boolean added,
      List<Runnable> behind) {
    DType type = typeOf(operand);
    boolean direct = target.tensor().dtype() == type && (added || !target.isAdded());
    Tensor to = direct ? target.tensor() : gradients.take(type, input.shape());
    if (added && !(direct && target.isAdded())) {
      gradients.zero(to);
    }
    if (!direct) {
      behind.add(() -> gradients.put(to, target));
    }
    return to;
  }

  private DType typeOf(Operand gradient) {
    return gradient.type() == Operand.Type.GRADIENT ? inputs().getFirst().dtype() : DType.FLOAT32;
  }

  @Override
  void free(Buffers buffers) {
    memory.forEach(buffers::give);
  }
}
