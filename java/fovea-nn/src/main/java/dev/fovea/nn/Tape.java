package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OperationCall;
import dev.fovea.OptimizerStep;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.nn.Buffers.Buffer;
import dev.fovea.spi.DeviceBackend;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Records operations on {@link Variable}s as they are computed, and differentiates what came out by
 * the parameters: reverse-mode automatic differentiation, operation by operation, each by its own
 * fused backward pass. There is no graph to build or compile: a model is Java code that runs.
 *
 * <p>A tape owns the memory of what is computed. {@link #begin} begins a step; as long as that
 * records what the step before did, in the same shapes, everything is computed in the same memory
 * by calls that are bound already, and nothing is allocated off the heap. From the first operation
 * that differs on, the memory of what had been recorded serves what now is.
 *
 * {@snippet :
 * try (Tape tape = Tape.open(device)) {
 *   for (int step = 0; step < steps; step++) {
 *     tape.begin(step);
 *     Variable loss = model.loss(tape, batch);
 *     tape.backward(loss);
 *     optimizer.step();
 *   }
 * }
 * }
 *
 * <p>What throws leaves the tape as usable as it was: begin the step again or another. A tape
 * belongs to one thread at a time.
 *
 * <p>Source: Wengert, A simple automatic derivative evaluation program, 1964; Griewank and Walther,
 * Evaluating derivatives, 2008, chapter 3.
 */
public final class Tape implements AutoCloseable {
  /** What runs of a step share. */
  record Step(long seed, int number) {}

  private final Scope scope;
  private final Buffers buffers;
  private final boolean differentiates;
  private final int parallelism;
  private final boolean batchInvariant;
  private final long seed;
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Parameter, Variable> parameters = new IdentityHashMap<>();
  private final Map<Parameter, Variable> exact = new IdentityHashMap<>();
  private final Map<Object, Tensor> constants = new HashMap<>();
  private final List<Buffer> taken = new ArrayList<>(); // by the node that is being made
  private Products products; // null: nothing has been multiplied yet
  private Tensor ascent; // null: nothing has been added yet
  private int recorded; // nodes of this step
  private Step step;
  private Gradients gradients; // of the last backward pass; null: what it was of has changed

  private Tape(
      Device device, boolean differentiates, long seed, int parallelism, boolean batchInvariant) {
    scope = Scope.open(device);
    buffers = new Buffers(scope::allocate);
    this.differentiates = differentiates;
    this.parallelism = parallelism;
    this.batchInvariant = batchInvariant;
    this.seed = seed;
    step = new Step(seed, 0);
  }

  /** A tape on {@code device} that differentiates, with seed 0 for dropout. */
  public static Tape open(Device device) {
    return open(device, 0);
  }

  /**
   * A tape on {@code device} that differentiates.
   *
   * @param seed what dropout draws from, beside the number of the step and the place in it
   */
  public static Tape open(Device device, long seed) {
    return new Tape(device, true, seed, Runtime.getRuntime().availableProcessors(), false);
  }

  /**
   * A tape on {@code device} for what is not differentiated: it keeps nothing for a backward pass.
   */
  public static Tape inference(Device device) {
    return inference(device, Runtime.getRuntime().availableProcessors());
  }

  /**
   * The same, for one of several threads that each have a tape and share the parameters.
   *
   * @param parallelism how many threads an operation may use on the CPU, the caller included: as
   *     {@link OperationCall#parallelism}
   */
  public static Tape inference(Device device, int parallelism) {
    return inference(device, parallelism, false);
  }

  /**
   * The same, where what comes out of a row has the same bits whatever is computed beside it, and
   * in however many steps a sequence is computed: {@link Functions#linear} goes row by row. For a
   * few rows, as where tokens are generated, that costs little or nothing; for many it takes
   * several times as long.
   *
   * @throws IllegalArgumentException on a CUDA device: products of cuBLASLt promise no such thing
   */
  public static Tape batchInvariant(Device device, int parallelism) {
    if (!Devices.backend(device).hostMemory()) {
      throw new IllegalArgumentException(
          "device is " + device + ": bits are independent of the batch on the CPU alone");
    }
    return inference(device, parallelism, true);
  }

  private static Tape inference(Device device, int parallelism, boolean batchInvariant) {
    if (parallelism < 1) {
      throw new IllegalArgumentException("parallelism is " + parallelism + ", expected at least 1");
    }
    return new Tape(device, false, 0, parallelism, batchInvariant);
  }

  /** Where it computes. */
  public Device device() {
    return scope.device();
  }

  /** Bytes that it holds. */
  public long memoryHeld() {
    return scope.memoryHeld();
  }

  /** Begins the next step. */
  public void begin() {
    begin(step.number + 1);
  }

  /**
   * Begins a step.
   *
   * @param number from which, with the seed, follows what dropout drops
   * @throws IllegalStateException if the tape is closed
   */
  public void begin(int number) {
    requireOpen();
    step = new Step(seed, number);
    recorded = 0;
  }

  /**
   * A variable for what comes from outside, to be filled by {@code value().copyFrom(…)} in every
   * step. Not differentiable.
   */
  public Variable input(DType dtype, long... shape) {
    record Input(DType dtype, Shape shape) {}
    Input what = new Input(dtype, Shape.of(shape));
    return record(what, List.of(), () -> new InputNode(this, what, dtype, shape)).getFirst();
  }

  /**
   * A tensor of somebody else, on this device, as a variable that is not differentiable.
   *
   * @throws IllegalArgumentException if it is on another device
   */
  public Variable constant(Tensor tensor) {
    requireHere(tensor, tensor);
    record Constant(Tensor tensor) {}
    Constant what = new Constant(tensor);
    return record(what, List.of(), () -> new InputNode(this, what, tensor)).getFirst();
  }

  /**
   * A tensor that this tape makes once and keeps, as a variable that is not differentiable: tables
   * of positions, for example.
   *
   * @param what names it: what equals it later is that tensor again
   */
  public Variable constant(Object what, Function<Scope, Tensor> make) {
    requireOpen();
    return constant(constants.computeIfAbsent(what, it -> make.apply(scope)));
  }

  /** A parameter of a module. */
  public Variable parameter(Parameter parameter) {
    requireOpen();
    return parameters.computeIfAbsent(parameter, it -> Variable.of(this, it, it.computed()));
  }

  /**
   * A parameter in float32, whatever the model computes in: what operations read that take no other
   * type, such as gains and biases.
   */
  public Variable exactParameter(Parameter parameter) {
    requireOpen();
    return exact.computeIfAbsent(parameter, it -> Variable.of(this, it, it.value()));
  }

  /**
   * Adds to the gradient of every parameter the derivative by it of the sum of all elements of
   * {@code output}, each times that of {@code weights}.
   *
   * @param weights the gradient of output, of its shape
   * @throws IllegalArgumentException if output depends on no parameter, or is of another tape or of
   *     a step that is no more
   */
  public void backward(Variable output, Tensor weights) {
    requireOpen();
    if (output.tape() != this || !output.isDifferentiable()) {
      throw new IllegalArgumentException(
          output + " does not depend on a parameter by what this tape recorded");
    }
    drop(recorded);
    requireOwn(List.of(output));
    if (gradients == null || gradients.root() != output) {
      freeGradients();
      gradients = new Gradients(this, output, nodes);
    }
    gradients.seed().copyFrom(weights);
    gradients.run();
  }

  // ---- for operations

  /** The outputs of what {@code make} makes, or of what the step before had in its place. */
  List<Variable> record(Object what, List<Variable> inputs, Supplier<Node> make) {
    requireOpen();
    if (recorded == nodes.size() || !nodes.get(recorded).is(what, inputs)) {
      drop(recorded);
      requireOwn(inputs);
      nodes.add(make(make));
    }
    Node node = nodes.get(recorded);
    node.run(step);
    recorded++;
    return node.outputs();
  }

  /** What a node that cannot be made has taken already is given back. */
  private Node make(Supplier<Node> make) {
    taken.clear();
    try {
      return make.get();
    } catch (Throwable t) {
      taken.forEach(buffers::give);
      throw t;
    } finally {
      taken.clear();
    }
  }

  Variable view(Variable whole, Views how) {
    return views(whole, how)[0];
  }

  Variable[] views(Variable whole, Views how) {
    return record(how, List.of(whole), () -> new ViewNode(whole, how)).toArray(Variable[]::new);
  }

  /** Operations of this step so far. */
  int recorded() {
    return recorded;
  }

  boolean differentiates() {
    return differentiates;
  }

  /** Threads of an operation. */
  int parallelism() {
    return parallelism;
  }

  Buffers buffers() {
    return buffers;
  }

  /** How matrices are multiplied here. */
  Products products() {
    if (products == null) {
      products = Products.of(scope, parallelism, batchInvariant);
    }
    return products;
  }

  /** Rates of a step of plain descent by -1. */
  Tensor ascent() {
    if (ascent == null) {
      ascent = scope.copyOf(OptimizerStep.sgd(0).rates(-1, 1, 1), OptimizerStep.RATES);
    }
    return ascent;
  }

  /** Memory for what begins with zeros, since not all of it may be written. */
  Buffer takeZeros(DType dtype, long... shape) {
    Buffer buffer = take(dtype, shape);
    buffer.tensor().fill(0); // padding that is not written is no number of another's
    return buffer;
  }

  /** Memory for what will all be written, with whatever values. */
  Buffer take(DType dtype, long... shape) {
    Buffer buffer = buffers.take(dtype, shape);
    taken.add(buffer);
    return buffer;
  }

  private void requireOwn(List<Variable> inputs) {
    for (Variable input : inputs) {
      if (input != null && input.tape() != this) {
        throw new IllegalArgumentException(input + " is of another tape");
      }
      if (input != null && !input.isRecorded()) {
        throw new IllegalArgumentException(
            input + " is of an earlier step, which this one does not repeat");
      }
    }
  }

  /** Forgets nodes from the given one on. */
  private void drop(int from) {
    if (nodes.size() > from) {
      freeGradients(); // of what is forgotten
    }
    while (nodes.size() > from) {
      Node node = nodes.removeLast();
      node.outputs().forEach(Variable::forget);
      node.free(buffers);
    }
  }

  private void freeGradients() {
    if (gradients != null) {
      gradients.free();
      gradients = null;
    }
  }

  /** Refuses memory that this device does not reach. */
  void requireHere(Tensor tensor, Object what) {
    DeviceBackend there = Devices.backend(tensor.device());
    DeviceBackend here = Devices.backend(device());
    if (there != here && !(there.hostMemory() && here.hostMemory())) {
      throw new IllegalArgumentException(
          "%s is on %s, the tape on %s".formatted(what, tensor.device(), device()));
    }
  }

  private void requireOpen() {
    if (!scope.isOpen()) {
      throw new IllegalStateException("the tape is closed");
    }
  }

  /** Frees the memory of all its variables. */
  @Override
  public void close() {
    if (scope.isOpen()) {
      scope.close(); // refused while a call runs, which then needs the rest
      drop(0);
    }
  }
}
