package dev.fovea.testkit.crossentropy;

import dev.fovea.CrossEntropy;
import dev.fovea.CrossEntropyCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class CrossEntropyBinding {

  private CrossEntropyBinding() {}

  static OperationRun.Bound bind(CrossEntropyCase c, OperationRun run) {
    CrossEntropyCall call =
        CrossEntropy.create()
            .labelSmoothing(c.smoothing())
            .call(run.input("logits"), run.input("targets"))
            .classWeight(run.input("class_weight"));
    if (!c.isBackward()) {
      return new OperationRun.Bound(call.out(run.output("out")).lse(run.output("lse")), null);
    }
    return new OperationRun.Bound(
        call, call.gradients(run.input("dout"), run.input("lse")).dlogits(run.output("dlogits")));
  }
}
