package dev.fovea;

import java.lang.foreign.MemorySegment;

/** The forward pass, bound. */
final class BoundForward extends BoundAttention {
  private final MemorySegment weights;

  BoundForward(
      AttentionCall call,
      AttentionOperands operands,
      AttentionShape shape,
      AttentionPlan plan,
      RunMemory memory) {
    super(call, operands, operands, shape, plan, memory);
    weights = OperandSet.segment(operands.weights);
  }

  @Override
  int compute(MemorySegment call, MemorySegment workspace, MemorySegment scratch) {
    return library.runAttention(
        planBlock,
        call,
        query,
        key,
        value,
        bias,
        alibiSlopes,
        sinks,
        cuSeqlensQ,
        cuSeqlensK,
        queryLengths,
        keyLengths,
        out,
        lse,
        weights,
        workspace,
        scratch,
        streamHandle);
  }
}
