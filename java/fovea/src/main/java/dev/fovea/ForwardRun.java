package dev.fovea;

/** What the backward pass of a call must know of the call's last run. */
final class ForwardRun {
  private Tensor out; // null: there is none, or operands have been bound since
  private Graph graph; // that it was captured in, or null
  private long seed;
  private int offset;

  void forget() {
    out = null;
    graph = null;
  }

  void ended(Tensor out, Graph graph, long seed, int offset) {
    this.out = out;
    this.graph = graph;
    this.seed = seed;
    this.offset = offset;
  }

  void require() {
    if (out == null || (graph != null && graph.neverRuns())) {
      throw new IllegalStateException(
          "the call has not run since its operands were bound: run it before its backward pass, or"
              + " give gradients(...) what a forward pass elsewhere wrote");
    }
  }

  /** Where it wrote out, or null. */
  Tensor out() {
    return out;
  }

  /** Of dropout. */
  long seed() {
    return seed;
  }

  /** Of dropout. */
  int offset() {
    return offset;
  }
}
