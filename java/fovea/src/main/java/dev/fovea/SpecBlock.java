package dev.fovea;

import dev.fovea.AttentionShape.Strides;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.MemorySegment;

/** Options and shapes as a {@code fovea_attention_spec}: the one place where the two sides meet. */
final class SpecBlock {
  private SpecBlock() {}

  /** Fills a zeroed block for a forward pass. */
  static void fill(MemorySegment spec, Attention.Options options, AttentionShape shape) {
    FoveaAttentionSpec.PASS.set(spec, Abi.FORWARD);
    fillCommon(spec, options, shape);
    FoveaAttentionSpec.HAS_WEIGHTS.set(spec, flag(shape.weights() != null));
    batchHeadPosition(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, shape.weights());
  }

  /** Fills a zeroed block for a backward pass, in which weights have no part. */
  static void fill(
      MemorySegment spec,
      Attention.Options options,
      AttentionShape shape,
      AttentionGradientShape wanted) {
    FoveaAttentionSpec.PASS.set(spec, Abi.BACKWARD);
    fillCommon(spec, options, shape);
    FoveaAttentionSpec.GRADIENT_DTYPE.set(spec, code(wanted.dtype()));
    FoveaAttentionSpec.DETERMINISTIC.set(spec, flag(wanted.deterministic()));
    FoveaAttentionSpec.ACCUMULATE.set(spec, flag(wanted.accumulate()));
    FoveaAttentionSpec.HAS_DBIAS.set(spec, flag(wanted.dbias() != null));
    FoveaAttentionSpec.HAS_DALIBI_SLOPES.set(spec, flag(wanted.dalibi() != null));
    FoveaAttentionSpec.HAS_DSINKS.set(spec, flag(wanted.dsinks()));
    batchPositionHead(spec, FoveaAttentionSpec.DOUT_STRIDE, wanted.dout());
    batchPositionHead(spec, FoveaAttentionSpec.DQUERY_STRIDE, wanted.dquery());
    batchPositionHead(spec, FoveaAttentionSpec.DKEY_STRIDE, wanted.dkey());
    batchPositionHead(spec, FoveaAttentionSpec.DVALUE_STRIDE, wanted.dvalue());
    batchHeadPosition(spec, FoveaAttentionSpec.DBIAS_STRIDE, wanted.dbias());
    batchHead(spec, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, wanted.dalibi());
  }

  private static void fillCommon(
      MemorySegment spec, Attention.Options options, AttentionShape shape) {
    fillOptions(spec, options);
    fillSizes(spec, shape);
    fillStrides(spec, shape);
  }

  private static void fillOptions(MemorySegment spec, Attention.Options options) {
    FoveaAttentionSpec.OUT_DTYPE.set(spec, code(options.outDType()));
    FoveaAttentionSpec.CAUSAL.set(spec, flag(options.causal()));
    FoveaAttentionSpec.ALIGNMENT.set(
        spec,
        switch (options.alignment()) {
          case BOTTOM_RIGHT -> Abi.BOTTOM_RIGHT;
          case TOP_LEFT -> Abi.TOP_LEFT;
        });
    if (options.windowLeft() != Attention.UNBOUNDED) {
      FoveaAttentionSpec.HAS_WINDOW_LEFT.set(spec, 1);
      FoveaAttentionSpec.WINDOW_LEFT.set(spec, options.windowLeft());
    }
    if (options.windowRight() != Attention.UNBOUNDED) {
      FoveaAttentionSpec.HAS_WINDOW_RIGHT.set(spec, 1);
      FoveaAttentionSpec.WINDOW_RIGHT.set(spec, options.windowRight());
    }
    if (options.scale() != null) {
      FoveaAttentionSpec.HAS_SCALE.set(spec, 1);
      FoveaAttentionSpec.SCALE.set(spec, options.scale());
    }
    FoveaAttentionSpec.SOFTCAP.set(spec, options.softcap());
    FoveaAttentionSpec.DROPOUT.set(spec, options.dropout());
    FoveaAttentionSpec.ALLOW_TF32.set(spec, flag(options.allowTf32()));
  }

  private static void fillSizes(MemorySegment spec, AttentionShape shape) {
    FoveaAttentionSpec.DTYPE.set(spec, code(shape.dtype()));
    FoveaAttentionSpec.BIAS_DTYPE.set(spec, code(shape.biasDType()));
    FoveaAttentionSpec.PACKED.set(spec, flag(shape.packed()));
    FoveaAttentionSpec.HAS_ALIBI_SLOPES.set(spec, flag(shape.alibi() != null));
    FoveaAttentionSpec.HAS_SINKS.set(spec, flag(shape.sinks()));
    FoveaAttentionSpec.HAS_QUERY_LENGTHS.set(spec, flag(shape.queryLengths()));
    FoveaAttentionSpec.HAS_KEY_LENGTHS.set(spec, flag(shape.keyLengths()));
    FoveaAttentionSpec.HAS_LSE.set(spec, flag(shape.lse() != null));
    FoveaAttentionSpec.BATCH.set(spec, shape.batch());
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, shape.queryLength());
    FoveaAttentionSpec.KEY_LENGTH.set(spec, shape.keyLength());
    FoveaAttentionSpec.QUERY_TOTAL.set(spec, shape.queryTotal());
    FoveaAttentionSpec.KEY_TOTAL.set(spec, shape.keyTotal());
    FoveaAttentionSpec.QUERY_HEADS.set(spec, shape.queryHeads());
    FoveaAttentionSpec.KEY_HEADS.set(spec, shape.keyHeads());
    FoveaAttentionSpec.HEAD_DIM.set(spec, shape.headDim());
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, shape.valueHeadDim());
  }

  private static void fillStrides(MemorySegment spec, AttentionShape shape) {
    batchPositionHead(spec, FoveaAttentionSpec.QUERY_STRIDE, shape.query());
    batchPositionHead(spec, FoveaAttentionSpec.KEY_STRIDE, shape.key());
    batchPositionHead(spec, FoveaAttentionSpec.VALUE_STRIDE, shape.value());
    batchPositionHead(spec, FoveaAttentionSpec.OUT_STRIDE, shape.out());
    batchHead(spec, FoveaAttentionSpec.LSE_STRIDE, shape.lse());
    batchHead(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, shape.alibi());
    batchHeadPosition(spec, FoveaAttentionSpec.BIAS_STRIDE, shape.bias());
  }

  private static void batchPositionHead(
      MemorySegment block, Field.Int64Array field, Strides strides) {
    field.set(block, 0, strides.batch());
    field.set(block, 1, strides.position());
    field.set(block, 2, strides.head());
  }

  private static void batchHead(MemorySegment block, Field.Int64Array field, Strides strides) {
    if (strides != null) {
      field.set(block, 0, strides.batch());
      field.set(block, 1, strides.head());
    }
  }

  private static void batchHeadPosition(
      MemorySegment block, Field.Int64Array field, Strides strides) {
    if (strides != null) {
      batchHead(block, field, strides);
      field.set(block, 2, strides.position());
    }
  }

  private static int flag(boolean set) {
    return set ? 1 : 0;
  }

  private static int code(DType dtype) {
    return switch (dtype) {
      case null -> 0;
      case FLOAT32 -> Abi.FLOAT32;
      case FLOAT16 -> Abi.FLOAT16;
      case BFLOAT16 -> Abi.BFLOAT16;
      case INT32 -> throw new IllegalArgumentException("dtype is INT32, expected a floating type");
    };
  }
}
