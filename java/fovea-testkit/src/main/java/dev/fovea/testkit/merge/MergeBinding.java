package dev.fovea.testkit.merge;

import dev.fovea.Merge;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class MergeBinding {

  private MergeBinding() {}

  static OperationRun.Bound bind(MergeCase c, OperationRun run) {
    return new OperationRun.Bound(
        Merge.create()
            .outDType(c.outDType())
            .call(run.input("outs"), run.input("lses"))
            .sinks(run.input("sinks"))
            .out(run.output("out"))
            .lse(run.output("lse")),
        null);
  }
}
