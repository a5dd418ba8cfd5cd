package dev.fovea.bench;

import dev.fovea.ChannelAttention;
import dev.fovea.ChannelBackward;
import dev.fovea.ChannelCall;
import dev.fovea.DType;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.SpatialAttention;
import dev.fovea.SpatialBackward;
import dev.fovea.SpatialCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.CaseBuilder;
import dev.fovea.testkit.image.ChannelOracle;
import dev.fovea.testkit.image.ImageCase;
import dev.fovea.testkit.image.ImageCase.Kind;
import dev.fovea.testkit.image.Operands;
import dev.fovea.testkit.image.SpatialOracle;
import java.util.Map;

/** Channel or spatial attention over images of N(0,1), with weights as layers are initialised. */
final class FoveaImage extends BatchedSide<ImageProblem> {

  private final Tensor x;

  /** Allocates the operands; of a backward pass also runs and verifies the forward pass. */
  FoveaImage(ImageProblem problem) {
    super(problem);
    x = operand("x", random(images(), 1), images());
    int channels = problem.channels();
    int inner = problem.inner();
    if (problem.kind() == Kind.CHANNEL) {
      shared("weight1", 2, channels, inner, channels);
      shared("bias1", 3, 1, inner);
      shared("weight2", 4, inner, channels, inner);
      shared("bias2", 5, 1, channels);
    } else {
      shared("weight", 2, inner * inner, 2, inner, inner);
      shared("bias", 3, 1, 1);
    }
    finish(images(), images());
  }

  /** [N, C, H, W]. */
  private Tensor images() {
    ImageProblem p = problem();
    return p.last()
        ? scope()
            .allocate(p.dtype(), p.batch(), p.size(), p.size(), p.channels())
            .permute(0, 3, 1, 2)
        : scope().allocate(p.dtype(), p.batch(), p.channels(), p.size(), p.size());
  }

  private void shared(String name, long seed, int terms, long... shape) {
    Tensor values =
        random(scope().allocate(DType.FLOAT32, shape), seed, 1 / Math.sqrt(Math.max(1, terms)));
    operand(name, values, scope().allocate(DType.FLOAT32, shape));
  }

  private ChannelCall channel(int threads) {
    return ChannelAttention.create()
        .call(x, operand("weight1"), operand("weight2"))
        .bias1(operand("bias1"))
        .bias2(operand("bias2"))
        .out(out())
        .parallelism(threads);
  }

  private ChannelBackward channelBackward(int threads) {
    return channel(threads)
        .gradients(dout())
        .dx(gradient("dx"))
        .dweight1(gradient("dweight1"))
        .dbias1(gradient("dbias1"))
        .dweight2(gradient("dweight2"))
        .dbias2(gradient("dbias2"));
  }

  private SpatialCall spatial(int threads) {
    return SpatialAttention.create()
        .call(x, operand("weight"))
        .bias(operand("bias"))
        .out(out())
        .parallelism(threads);
  }

  private SpatialBackward spatialBackward(int threads) {
    return spatial(threads)
        .gradients(dout())
        .dx(gradient("dx"))
        .dweight(gradient("dweight"))
        .dbias(gradient("dbias"));
  }

  private boolean isChannel() {
    return problem().kind() == Kind.CHANNEL;
  }

  @Override
  OperationCall<?> forward(int threads) {
    return isChannel() ? channel(threads) : spatial(threads);
  }

  @Override
  OperationBackward<?> backward(int threads) {
    return isChannel() ? channelBackward(threads) : spatialBackward(threads);
  }

  @Override
  int batch() {
    return problem().batch();
  }

  @Override
  boolean isShared(String operand) {
    return operand.startsWith("weight") || operand.startsWith("bias");
  }

  @Override
  Composition composition() {
    return isChannel() ? ImageCompositions::channel : ImageCompositions::spatial;
  }

  @Override
  Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> data) {
    ImageProblem p = problem();
    CaseBuilder builder =
        new CaseBuilder(p.kind())
            .dtype(p.dtype())
            .sizes(batch, p.channels(), p.size(), p.size(), p.inner());
    ImageCase c = (pass == Pass.BACKWARD ? builder.backward(p.dtype()) : builder).build();
    Operands operands = new Operands(data);
    return isChannel() ? ChannelOracle.run(c, operands) : SpatialOracle.run(c, operands);
  }
}
