package dev.fovea.cli.attend;

import dev.fovea.Attention;
import dev.fovea.AttentionPlan;
import dev.fovea.LowRankAttention;
import dev.fovea.LowRankBackward;
import dev.fovea.LowRankCall;
import java.util.List;
import java.util.stream.Collectors;

/** {@link LowRankAttention}. */
final class LowRankBinding implements Binding {

  private final LowRankAttention attention;
  private LowRankCall call;

  LowRankBinding(Settings settings) {
    Attention.Builder builder =
        Attention.builder()
            .softcap(settings.softcap())
            .dropout(settings.dropout())
            .allowTf32(settings.allowTf32());
    if (settings.scale() != null) {
      builder.scale(settings.scale());
    }
    attention = LowRankAttention.of(builder.build());
  }

  @Override
  public Work forward(Operands operands, Settings settings) {
    call =
        attention
            .call(
                operands.get("query"),
                operands.get("key"),
                operands.get("value"),
                operands.get("key_projection"),
                operands.get("value_projection"))
            .queryLengths(operands.get("query_lengths"))
            .keyLengths(operands.get("key_lengths"))
            .out(operands.get("out"))
            .lse(operands.get("lse"))
            .weights(operands.get("weights"))
            .dropoutSeed(settings.seed(), settings.offset())
            .parallelism(settings.threads());
    return new Work(kernels(call.plans()), call::run);
  }

  @Override
  public Work backward(Operands operands, Settings settings) {
    LowRankBackward backward =
        call.gradients(operands.get("dout"))
            .dquery(operands.get("dquery"))
            .dkey(operands.get("dkey"))
            .dvalue(operands.get("dvalue"))
            .dkeyProjection(operands.get("dkey_projection"))
            .dvalueProjection(operands.get("dvalue_projection"))
            .deterministic(settings.deterministic());
    return new Work(kernels(backward.plans()), backward::run);
  }

  private static String kernels(List<AttentionPlan> plans) {
    return plans.stream().map(AttentionPlan::kernel).distinct().collect(Collectors.joining(" + "));
  }
}
