package dev.fovea.nn;

import dev.fovea.Activation;

/** {@code y = x W^T + b}, with parameters {@code weight} [out, in] and {@code bias} [out]. */
public final class Linear extends Module {
  private final Parameter weight;
  private final Parameter bias; // null: none

  /** From rows of {@code in} to rows of {@code out} elements, with a bias. */
  public Linear(int in, int out) {
    this(in, out, true);
  }

  /** With a bias or without. */
  public Linear(int in, int out, boolean hasBias) {
    weight = parameter("weight", Initializer.xavierUniform(), out, in);
    bias = hasBias ? parameter("bias", Initializer.constant(0), out) : null;
  }

  /** With the weight of another module, which is then shared, such as the table of an embedding. */
  public Linear(Parameter shared) {
    weight = share("weight", shared);
    bias = null;
  }

  /** The weight, [out, in]. */
  public Parameter weight() {
    return weight;
  }

  /** The bias, [out]; null if there is none. */
  public Parameter bias() {
    return bias;
  }

  /** From [..., in] to [..., out]. */
  public Variable forward(Variable x) {
    return Functions.linear(x, weight, bias);
  }

  /** A function of it, which adds the bias on its way. */
  Variable forward(Variable x, Activation activation) {
    return Functions.activation(activation, Functions.linear(x, weight, null), bias(x.tape()));
  }

  /** Added to {@code residual}, what {@code dropout} leaves of it. */
  Variable addTo(Variable residual, Variable x, Activation dropout) {
    Operands more = bias(x.tape()).with("residual", residual);
    return Functions.activation(dropout, Functions.linear(x, weight, null), more);
  }

  private Operands bias(Tape tape) {
    return Operands.none().with("bias", bias == null ? null : tape.exactParameter(bias));
  }
}
