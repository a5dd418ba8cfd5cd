package dev.fovea.cli.attend;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;

/** {@link Attention}. */
final class AttentionBinding extends SequenceBinding<AttentionCall, AttentionBackward> {

  private final Attention attention;

  AttentionBinding(Settings settings) {
    super(settings);
    Attention.Builder builder = settings.masks(Attention.builder());
    if (settings.scale() != null) {
      builder.scale(settings.scale());
    }
    attention =
        builder
            .softcap(settings.softcap())
            .gaussianSigma(settings.gaussianSigma())
            .spanRamp(settings.spanRamp())
            .positionOrigin(settings.positionOrigin())
            .blockSize(settings.blocks().queries(), settings.blocks().keys())
            .imageWindow(
                settings.imageWindow().width(),
                settings.imageWindow().rows(),
                settings.imageWindow().columns())
            .allowTf32(settings.allowTf32())
            .build();
  }

  @Override
  AttentionCall bind(Operands operands) {
    AttentionCall call =
        attention.call(operands.get("query"), operands.get("key"), operands.get("value"));
    if (operands.get("block_table") != null) {
      call.pages(operands.get("block_table"), operands.size("Sk"));
      if (operands.isPacked()) {
        call.cuSeqlens(operands.get("cu_seqlens_q"), operands.size("Sq"));
      }
    }
    return call.queryScales(operands.get("query_scales"))
        .cacheScales(operands.get("key_scales"), operands.get("value_scales"))
        .treeMask(operands.get("tree_mask"))
        .contentBias(operands.get("content_bias"))
        .positionBias(operands.get("position_bias"))
        .positionKeys(operands.get("position_keys"))
        .bias(operands.get("bias"))
        .mask(operands.get("mask"))
        .blockMask(operands.get("block_offsets"), operands.get("block_indices"))
        .relativeBias(operands.get("relative_table"), operands.get("relative_buckets"))
        .alibiSlopes(operands.get("alibi_slopes"))
        .gaussianCenters(operands.get("gaussian_centers"))
        .spans(operands.get("spans"))
        .keyGates(operands.get("key_gates"))
        .outputGates(operands.get("output_gates"))
        .ungated(operands.get("ungated"))
        .sinks(operands.get("sinks"));
  }

  @Override
  public boolean saves(String written, Operands operands) {
    return written.equals("ungated") && operands.get("output_gates") != null;
  }

  @Override
  AttentionBackward gradients(AttentionCall call, Operands operands) {
    return call.gradients(operands.get("dout"))
        .dcontentBias(operands.get("dcontent_bias"))
        .dpositionBias(operands.get("dposition_bias"))
        .dpositionKeys(operands.get("dposition_keys"))
        .dbias(operands.get("dbias"))
        .drelativeTable(operands.get("drelative_table"))
        .dalibiSlopes(operands.get("dalibi_slopes"))
        .dgaussianCenters(operands.get("dgaussian_centers"))
        .dspans(operands.get("dspans"))
        .dkeyGates(operands.get("dkey_gates"))
        .doutputGates(operands.get("doutput_gates"))
        .dsinks(operands.get("dsinks"));
  }
}
