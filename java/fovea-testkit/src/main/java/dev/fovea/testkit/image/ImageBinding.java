package dev.fovea.testkit.image;

import dev.fovea.ChannelAttention;
import dev.fovea.ChannelCall;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.SpatialAttention;
import dev.fovea.SpatialCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class ImageBinding {

  private ImageBinding() {}

  static OperationRun.Bound bind(ImageCase c, OperationRun run) {
    return switch (c.kind()) {
      case CHANNEL -> {
        ChannelCall call = channel(c, run);
        yield bound(c, run, call, c.isBackward() ? gradients(call, run) : null);
      }
      case SPATIAL -> {
        SpatialCall call = spatial(c, run);
        yield bound(c, run, call, c.isBackward() ? gradients(call, run) : null);
      }
    };
  }

  private static OperationRun.Bound bound(
      ImageCase c, OperationRun run, OperationCall<?> call, OperationBackward<?> backward) {
    if (!c.isBackward()) {
      call.out(run.output("out"));
    }
    return new OperationRun.Bound(call, backward);
  }

  private static ChannelCall channel(ImageCase c, OperationRun run) {
    return ChannelAttention.create()
        .outDType(c.outDType())
        .call(run.input("x"), run.input("weight1"), run.input("weight2"))
        .bias1(run.input("bias1"))
        .bias2(run.input("bias2"));
  }

  private static SpatialCall spatial(ImageCase c, OperationRun run) {
    return SpatialAttention.create()
        .outDType(c.outDType())
        .call(run.input("x"), run.input("weight"))
        .bias(run.input("bias"));
  }

  private static OperationBackward<?> gradients(ChannelCall call, OperationRun run) {
    return call.gradients(run.input("dout"))
        .dx(run.output("dx"))
        .dweight1(run.output("dweight1"))
        .dbias1(run.output("dbias1"))
        .dweight2(run.output("dweight2"))
        .dbias2(run.output("dbias2"));
  }

  private static OperationBackward<?> gradients(SpatialCall call, OperationRun run) {
    return call.gradients(run.input("dout"))
        .dx(run.output("dx"))
        .dweight(run.output("dweight"))
        .dbias(run.output("dbias"));
  }
}
