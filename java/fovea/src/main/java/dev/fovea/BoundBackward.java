package dev.fovea;

import java.lang.foreign.MemorySegment;

/** The backward pass, bound. */
final class BoundBackward extends BoundAttention {
  private final MemorySegment dout;
  private final MemorySegment dquery;
  private final MemorySegment dkey;
  private final MemorySegment dvalue;
  private final MemorySegment dbias;
  private final MemorySegment dalibiSlopes;
  private final MemorySegment dsinks;

  BoundBackward(
      AttentionCall call,
      BackwardOperands operands,
      AttentionShape shape,
      AttentionPlan plan,
      RunMemory memory) {
    super(call, operands, operands.forward, shape, plan, memory);
    dout = OperandSet.segment(operands.dout);
    dquery = OperandSet.segment(operands.dquery);
    dkey = OperandSet.segment(operands.dkey);
    dvalue = OperandSet.segment(operands.dvalue);
    dbias = OperandSet.segment(operands.dbias);
    dalibiSlopes = OperandSet.segment(operands.dalibiSlopes);
    dsinks = OperandSet.segment(operands.dsinks);
  }

  @Override
  int compute(MemorySegment call, MemorySegment workspace, MemorySegment scratch) {
    return library.runAttentionBackward(
        planBlock,
        call,
        dout,
        query,
        key,
        value,
        out,
        lse,
        bias,
        alibiSlopes,
        sinks,
        cuSeqlensQ,
        cuSeqlensK,
        queryLengths,
        keyLengths,
        dquery,
        dkey,
        dvalue,
        dbias,
        dalibiSlopes,
        dsinks,
        workspace,
        scratch,
        streamHandle);
  }
}
