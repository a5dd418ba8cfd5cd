package dev.fovea.cli.attend;

import dev.fovea.EmbeddingLookup;
import dev.fovea.EmbeddingLookupBackward;
import dev.fovea.EmbeddingLookupCall;

/** {@link EmbeddingLookup}. */
final class EmbeddingBinding implements CallBinding {

  private final EmbeddingLookup lookup;
  private EmbeddingLookupCall call;

  EmbeddingBinding(Settings settings) {
    EmbeddingLookup plain = EmbeddingLookup.create();
    EmbeddingLookup scaled = settings.scale() == null ? plain : plain.scale(settings.scale());
    lookup = settings.padding() == null ? scaled : scaled.padding(settings.padding());
  }

  @Override
  public EmbeddingLookupCall call(Operands operands) {
    call =
        lookup
            .call(operands.get("table"), operands.get("ids"))
            .positions(operands.get("positions"))
            .positionIds(operands.get("position_ids"));
    return call;
  }

  @Override
  public EmbeddingLookupBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dtable(operands.get("dtable"))
        .dpositions(operands.get("dpositions"));
  }
}
