package dev.fovea.testkit.projection;

import dev.fovea.ProjectionCall;
import dev.fovea.SequenceProjection;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class ProjectionBinding {

  private ProjectionBinding() {}

  static OperationRun.Bound bind(ProjectionCase c, OperationRun run) {
    ProjectionCall call =
        SequenceProjection.create()
            .outDType(c.outDType())
            .call(run.input("x"), run.input("weight"))
            .lengths(run.lengths("lengths"));
    if (!c.isBackward()) {
      return new OperationRun.Bound(call.out(run.output("out")), null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout")).dx(run.output("dx")).dweight(run.output("dweight")));
  }
}
