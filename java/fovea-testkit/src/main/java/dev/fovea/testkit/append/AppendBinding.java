package dev.fovea.testkit.append;

import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class AppendBinding {

  private AppendBinding() {}

  static OperationRun.Bound bind(AppendCase c, OperationRun run) {
    CacheAppend append = CacheAppend.create();
    CacheAppendCall call =
        (c.interleaved() ? append.interleaved() : append)
            .call(run.input("key"), run.input("starts"), run.output("key_cache"))
            .value(run.input("value"), run.output("value_cache"))
            .scales(run.output("key_scales"), run.output("value_scales"))
            .rotary(run.input("cosines"), run.input("sines"))
            .positions(run.input("positions"));
    if (c.sizes().packed()) {
      call.cuSeqlens(run.lengths("cu_seqlens"), c.sizes().length());
    } else {
      call.lengths(run.lengths("lengths"));
    }
    if (c.sizes().paged()) {
      call.pages(run.input("block_table"), c.sizes().cacheLength());
    }
    return new OperationRun.Bound(call, null);
  }
}
