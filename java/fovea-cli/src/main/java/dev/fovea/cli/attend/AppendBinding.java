package dev.fovea.cli.attend;

import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.OperationBackward;
import dev.fovea.Tensor;

/** {@link CacheAppend}. */
final class AppendBinding implements CallBinding {

  private final CacheAppend append;

  AppendBinding(Settings settings) {
    CacheAppend create = CacheAppend.create();
    append = settings.interleaved() ? create.interleaved() : create;
  }

  @Override
  public CacheAppendCall call(Operands operands) {
    CacheAppendCall call =
        append
            .call(operands.get("key"), operands.get("starts"), operands.get("key_cache"))
            .value(operands.get("value"), operands.get("value_cache"))
            .scales(operands.get("key_scales"), operands.get("value_scales"))
            .rotary(operands.get("cosines"), operands.get("sines"))
            .positions(operands.get("positions"))
            .lengths(operands.get("lengths"));
    if (operands.isPacked()) {
      call.cuSeqlens(operands.get("cu_seqlens"), operands.size("S"));
    }
    Tensor table = operands.get("block_table");
    Tensor cache = operands.get("key_cache");
    if (table != null) {
      // What is not of these dimensions is refused by its shape, whatever the longest is.
      boolean fits = table.rank() == 2 && cache.rank() == 4;
      call.pages(table, fits ? table.size(1) * cache.size(1) : 0);
    }
    return call;
  }

  @Override
  public Work forward(Operands operands, Settings settings) {
    CacheAppendCall call = call(operands).parallelism(settings.threads());
    return new Work(call.plan().kernel(), call::run);
  }

  @Override
  public OperationBackward<?> gradients(Operands operands) {
    throw new UnsupportedOperationException("append has no backward pass");
  }
}
