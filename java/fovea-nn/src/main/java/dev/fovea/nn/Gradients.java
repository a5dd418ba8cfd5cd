package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.Buffers.Buffer;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * A backward pass from one variable: which gradients lie where, and the steps that compute them.
 * Made once for what a tape has recorded, by its nodes from the last to the first; then run in
 * every step.
 *
 * <p>A gradient's memory is taken when the first of its parts is computed and goes to the next one
 * behind the step that reads it last, so a backward pass needs little more than its widest place.
 */
final class Gradients {
  /** What is there of a gradient. */
  private enum State {
    NOTHING,
    SOME_VIEWS, // all of one group will be: what is missing in the end is zero
    ALL
  }

  private static final class Slot {
    State state = State.NOTHING;
    Tensor tensor; // null: not taken yet
    Buffer buffer; // of the tensor; null: somebody else's
    ViewNode group; // the views that some of are there
  }

  private final Tape tape;
  private final Map<Variable, Slot> slots = new IdentityHashMap<>();
  private final List<Runnable> steps = new ArrayList<>();
  private final List<Products.Product> products = new ArrayList<>();
  private final List<Buffer> all = new ArrayList<>(); // of the tape
  private final Buffers buffers; // these, from step to step
  private final List<Buffer> ofNode = new ArrayList<>();
  private final Variable root;
  private final Tensor seed;

  /** From {@code root}, whose gradient will be in {@link #seed}. */
  Gradients(Tape tape, Variable root, List<Node> nodes) {
    this.tape = tape;
    this.root = root;
    buffers =
        new Buffers(
            (dtype, elements) -> {
              Buffer buffer = tape.buffers().take(dtype, elements);
              all.add(buffer);
              return buffer.memory();
            });
    try {
      seed = begin(root);
      nodes.reversed().forEach(this::differentiate);
    } catch (Throwable t) {
      free(); // what there is of it will not run
      throw t;
    }
  }

  private void differentiate(Node node) {
    if (node.isDifferentiable() && node.outputs().stream().anyMatch(this::isThere)) {
      node.differentiate(this);
      ofNode.forEach(buffers::give);
      ofNode.clear();
    }
    node.outputs().forEach(this::giveBack);
  }

  /** Where the gradient of {@code root} is to be set. */
  private Tensor begin(Variable root) {
    if (root.whole() == null && root.parameter() == null) {
      isBegun(root);
      return memory(root);
    }
    // A place of its own: what lies around a view is made zero first, a parameter's is added to.
    Tensor apart = buffers.take(root.dtype(), root.shape()).tensor();
    add(root, apart);
    return apart;
  }

  Variable root() {
    return root;
  }

  /** The gradient of the root, to be set before a run. */
  Tensor seed() {
    return seed;
  }

  void run() {
    steps.forEach(Runnable::run);
  }

  /** Gives the memory back: it must not run again. */
  void free() {
    products.forEach(Products.Product::close);
    products.clear();
    all.forEach(tape.buffers()::give);
    all.clear();
  }

  // ---- for nodes

  /** What is computed next. */
  void then(Runnable step) {
    steps.add(step);
  }

  /** Likewise; it is closed with this. */
  void then(Products.Product product) {
    steps.add(product);
    products.add(product);
  }

  /** True if a gradient of that is wanted. */
  static boolean isWanted(Variable it) {
    return it != null && it.isDifferentiable();
  }

  /** The gradient of an output, complete; null if nothing depends on it. */
  Tensor of(Variable output) {
    if (!isThere(output)) {
      return null;
    }
    Slot slot = slot(output);
    if (slot.state == State.SOME_VIEWS) {
      completeViews(output, slot);
    }
    return memory(output);
  }

  /** Memory for the steps of one node. */
  Tensor take(DType dtype, long... shape) {
    Buffer buffer = buffers.take(dtype, shape);
    ofNode.add(buffer);
    return buffer.tensor();
  }

  /**
   * Where a part of the gradient of an input goes, which is all of it or, if {@link
   * Target#isAdded}, is to be added to what is there.
   */
  Target into(Variable input) {
    boolean added = isBegun(input);
    return new Target(memory(input), added);
  }

  record Target(Tensor tensor, boolean isAdded) {}

  /** What is computed elsewhere goes to its place, perhaps in another type. */
  void put(Tensor part, Target to) {
    then(to.isAdded ? Transfer.add(this, part, to.tensor) : Transfer.copy(part, to.tensor));
  }

  /** For {@link Transfer#add}: the rates of a step upwards along a gradient. */
  Tensor ascent() {
    return tape.ascent();
  }

  /** A part of the gradient of an input, which stays as it is. */
  void add(Variable input, Tensor part) {
    put(part, into(input));
  }

  /**
   * The gradient of {@code output} as a part of that of {@code input}, which takes over its memory
   * if it can: nobody else reads the gradient of an output behind its node.
   */
  void pass(Variable output, Variable input) {
    Slot from = slot(output);
    Slot to = slot(input);
    boolean alone = input.whole() == null && input.parameter() == null && to.tensor == null;
    if (alone && from.buffer != null && input.dtype() == output.dtype()) {
      to.tensor = from.tensor.reshape(input.shape());
      to.buffer = from.buffer;
      from.buffer = null;
      to.state = State.ALL;
    } else {
      add(input, memory(output));
    }
  }

  /** Of views that all of {@code whole} is in: those that nothing depends on become zero. */
  void complete(Variable whole, ViewNode group) {
    Slot slot = slot(whole);
    if (slot.state == State.SOME_VIEWS && slot.group == group) {
      completeViews(whole, slot);
    }
  }

  // ---- what is there

  private Slot slot(Variable it) {
    return slots.computeIfAbsent(
        it,
        key -> {
          Slot slot = new Slot();
          if (key.parameter() != null) { // has a place of its own, where steps are added up
            slot.tensor = key.parameter().gradient();
            slot.state = State.ALL;
          }
          return slot;
        });
  }

  private boolean isThere(Variable it) {
    return slot(it).state != State.NOTHING || (it.whole() != null && isAll(it.whole()));
  }

  /** Of views, what they are a view of decides. */
  private boolean isAll(Variable it) {
    return slot(it).state == State.ALL || (it.whole() != null && isAll(it.whole()));
  }

  private Tensor memory(Variable it) {
    if (it.whole() != null) {
      return it.view().apply(memory(it.whole()));
    }
    Slot slot = slot(it);
    if (slot.tensor == null) {
      slot.buffer = buffers.take(it.dtype(), it.shape());
      slot.tensor = slot.buffer.tensor();
    }
    return slot.tensor;
  }

  /** Makes it all there; true if it was, so that more is to be added. */
  private boolean isBegun(Variable it) {
    Slot slot = slot(it);
    if (slot.state == State.SOME_VIEWS) {
      completeViews(it, slot);
    }
    boolean was = isAll(it) || (it.whole() != null && isBegunAround(it));
    slot.state = State.ALL;
    return was;
  }

  /**
   * Of a view that is not there, what it is a view of; true if that is all there, in zeros perhaps.
   */
  private boolean isBegunAround(Variable it) {
    Variable whole = it.whole();
    Slot slot = slot(whole);
    if (it.group() == null) {
      if (!isBegun(whole)) {
        zero(memory(whole));
      }
      return true;
    }
    if (slot.state == State.SOME_VIEWS) {
      if (slot.group == it.group()) {
        return false;
      }
      completeViews(whole, slot);
      return true;
    }
    if (whole.whole() != null && isBegunAround(whole)) {
      slot.state = State.ALL;
      return true;
    }
    slot.state = State.SOME_VIEWS;
    slot.group = it.group();
    return false;
  }

  private void completeViews(Variable whole, Slot slot) {
    for (Variable view : slot.group.outputs()) {
      Slot part = slot(view);
      if (part.state == State.SOME_VIEWS) {
        completeViews(view, part);
      } else if (part.state == State.NOTHING) {
        zero(memory(view));
        part.state = State.ALL;
      }
    }
    slot.state = State.ALL;
  }

  void zero(Tensor tensor) {
    then(() -> tensor.fill(0));
  }

  private void giveBack(Variable output) {
    Slot slot = slots.remove(output);
    if (slot != null && slot.buffer != null) {
      buffers.give(slot.buffer);
    }
  }
}
