package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/**
 * A value of a {@link Tape}: an input, a parameter, or what an operation made of others.
 *
 * <p>Its tensor belongs to the tape and is overwritten by the next step. A variable of a step is
 * also one of the next steps that record the same operations.
 */
public final class Variable {
  private final Tape tape;
  private final Tensor value;
  private final Parameter parameter; // null: none
  private final Variable whole; // that this is a view of; null: of none
  private final UnaryOperator<Tensor> view; // from the tensor of `whole` to this one's
  private final ViewNode group; // of views that are all of `whole`; null: others may be missing
  private final boolean differentiable;
  private boolean recorded = true;

  private Variable(
      Tape tape,
      Tensor value,
      Parameter parameter,
      Variable whole,
      UnaryOperator<Tensor> view,
      ViewNode group,
      boolean differentiable) {
    this.tape = tape;
    this.value = value;
    this.parameter = parameter;
    this.whole = whole;
    this.view = view;
    this.group = group;
    this.differentiable = differentiable;
  }

  static Variable of(Tape tape, Tensor value, boolean differentiable) {
    return new Variable(tape, value, null, null, null, null, differentiable);
  }

  /** {@code value} is that of the parameter, in one type or the other. */
  static Variable of(Tape tape, Parameter parameter, Tensor value) {
    tape.requireHere(value, parameter);
    return new Variable(tape, value, parameter, null, null, null, tape.differentiates());
  }

  /** A view of {@code whole}; those of one group are all of it, null stands for a part. */
  static Variable of(Variable whole, UnaryOperator<Tensor> view, ViewNode group) {
    return new Variable(
        whole.tape, view.apply(whole.value), null, whole, view, group, whole.differentiable);
  }

  /** Whose value this is. */
  public Tape tape() {
    return tape;
  }

  /** The value. */
  public Tensor value() {
    return value;
  }

  /** The sizes of the value. */
  public long[] shape() {
    return value.shape();
  }

  /** One size of the value; a negative dimension counts from the last. */
  public long size(int dim) {
    return value.size(dim < 0 ? value.rank() + dim : dim);
  }

  /** Element type of the value. */
  public DType dtype() {
    return value.dtype();
  }

  /**
   * True if a loss may be differentiated by this: it is a trained parameter or computed from one.
   */
  public boolean isDifferentiable() {
    return differentiable;
  }

  /** False once the tape has recorded something else in its place. */
  boolean isRecorded() {
    return recorded;
  }

  /** Its memory may be another's from now on. */
  void forget() {
    recorded = false;
  }

  /** Null if this is none. */
  Parameter parameter() {
    return parameter;
  }

  Variable whole() {
    return whole;
  }

  UnaryOperator<Tensor> view() {
    return view;
  }

  ViewNode group() {
    return group;
  }

  /**
   * The same elements under another shape, as {@link Tensor#reshape}; nothing is copied.
   *
   * @throws IllegalArgumentException if that is no view, or the numbers of elements differ
   */
  public Variable reshape(long... shape) {
    return tape.view(this, new Views.Reshape(Shape.of(shape)));
  }

  /** The dimensions in another order, as {@link Tensor#permute}; nothing is copied. */
  public Variable permute(int... order) {
    return tape.view(
        this, new Views.Permute(Shape.of(Arrays.stream(order).asLongStream().toArray())));
  }

  /** Two dimensions in each other's place. */
  public Variable transpose(int dim, int other) {
    int[] order = new int[value.rank()];
    Arrays.setAll(order, i -> i);
    order[dim] = other;
    order[other] = dim;
    return permute(order);
  }

  /** The indices {@code from} to {@code to - 1} of a dimension, as {@link Tensor#slice}. */
  public Variable slice(int dim, long from, long to) {
    return tape.view(this, new Views.Slice(dim, from, to));
  }

  /**
   * The first so many indices of a dimension, the next so many, and so on.
   *
   * @throws IllegalArgumentException if the sum of {@code sizes} is not the size of the dimension
   */
  public Variable[] split(int dim, long... sizes) {
    return tape.views(this, new Views.Split(dim, Shape.of(sizes)));
  }

  /**
   * Every index of a dimension, which goes away: query, key and value of a fused projection [B, S,
   * 3, H, D], for example.
   */
  public Variable[] unbind(int dim) {
    return tape.views(this, new Views.Unbind(dim));
  }

  @Override
  public String toString() {
    return (parameter == null ? "variable " : parameter.name() + " ") + value;
  }
}
