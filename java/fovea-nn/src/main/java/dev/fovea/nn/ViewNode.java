package dev.fovea.nn;

import java.util.ArrayList;
import java.util.List;

/** Views of a value. */
final class ViewNode extends Node {
  private final Variable whole;
  private final List<Variable> views = new ArrayList<>();

  ViewNode(Variable whole, Views what) {
    super(what, List.of(whole));
    this.whole = whole;
    ViewNode group = what.isWhole() ? this : null;
    what.of(whole.value()).forEach(view -> views.add(Variable.of(whole, view, group)));
  }

  @Override
  List<Variable> outputs() {
    return views;
  }

  @Override
  void run(Tape.Step step) {}

  @Override
  void differentiate(Gradients gradients) {
    gradients.complete(whole, this);
  }

  @Override
  void free(Buffers buffers) {}
}
