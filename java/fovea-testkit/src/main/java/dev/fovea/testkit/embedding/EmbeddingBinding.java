package dev.fovea.testkit.embedding;

import dev.fovea.EmbeddingLookup;
import dev.fovea.EmbeddingLookupCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class EmbeddingBinding {

  private EmbeddingBinding() {}

  static OperationRun.Bound bind(EmbeddingCase c, OperationRun run) {
    EmbeddingLookup lookup = EmbeddingLookup.create().outDType(c.outDType());
    if (c.scale() != null) {
      lookup = lookup.scale(c.scale());
    }
    if (c.padding() >= 0) {
      lookup = lookup.padding(c.padding());
    }
    EmbeddingLookupCall call =
        lookup
            .call(run.input("table"), run.input("ids"))
            .positions(run.input("positions"))
            .positionIds(run.input("position_ids"));
    if (!c.isBackward()) {
      return new OperationRun.Bound(call.out(run.output("out")), null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout"))
            .dtable(run.output("dtable"))
            .dpositions(run.output("dpositions")));
  }
}
