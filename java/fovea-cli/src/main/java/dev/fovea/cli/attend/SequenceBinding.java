package dev.fovea.cli.attend;

import dev.fovea.SequenceBackward;
import dev.fovea.SequenceCall;
import dev.fovea.SoftmaxCall;

/** An operation over queries and keys: what all of these read and write alike. */
abstract class SequenceBinding<C extends SequenceCall<C>, B extends SequenceBackward<B>>
    implements CallBinding {

  private final Settings settings;
  private C call;

  SequenceBinding(Settings settings) {
    this.settings = settings;
  }

  /** A call with all that this operation reads and others do not. */
  abstract C bind(Operands operands);

  /** The backward pass of that call, with the gradients of what others do not read. */
  abstract B gradients(C call, Operands operands);

  @Override
  public final SequenceCall<C> call(Operands operands) {
    call =
        bind(operands)
            .queryLengths(operands.get("query_lengths"))
            .keyLengths(operands.get("key_lengths"));
    if (call instanceof SoftmaxCall<?> softmax) {
      softmax
          .lse(operands.get("lse"))
          .weights(operands.get("weights"))
          .topWeights(operands.get("top_weights"), operands.get("top_keys"))
          .dropoutSeed(settings.seed(), settings.offset());
    }
    return !operands.isPacked() || operands.get("cu_seqlens_k") == null
        ? call
        : call.cuSeqlens(
            operands.get("cu_seqlens_q"),
            operands.get("cu_seqlens_k"),
            operands.size("Sq"),
            operands.size("Sk"));
  }

  @Override
  public final SequenceBackward<B> gradients(Operands operands) {
    return gradients(call, operands)
        .dquery(operands.get("dquery"))
        .dkey(operands.get("dkey"))
        .dvalue(operands.get("dvalue"));
  }
}
