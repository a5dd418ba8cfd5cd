package dev.fovea.testkit;

import dev.fovea.testkit.activation.ActivationCases;
import dev.fovea.testkit.append.AppendCases;
import dev.fovea.testkit.attention.AttentionCases;
import dev.fovea.testkit.attention.DecodeCases;
import dev.fovea.testkit.crossentropy.CrossEntropyCases;
import dev.fovea.testkit.embedding.EmbeddingCases;
import dev.fovea.testkit.image.ChannelCases;
import dev.fovea.testkit.image.SpatialCases;
import dev.fovea.testkit.linear.LinearCases;
import dev.fovea.testkit.merge.MergeCases;
import dev.fovea.testkit.norm.NormCases;
import dev.fovea.testkit.optimizer.OptimizerCases;
import dev.fovea.testkit.pairs.AdditiveCases;
import dev.fovea.testkit.pairs.DistanceCases;
import dev.fovea.testkit.projection.ProjectionCases;
import dev.fovea.testkit.rotary.RotaryCases;
import java.util.List;
import java.util.stream.Collectors;

/** The operations that can be checked: the one list of them. */
public final class Operations {

  private static final List<Operation> ALL =
      List.of(
          AttentionCases.OPERATION,
          DecodeCases.OPERATION,
          AdditiveCases.OPERATION,
          DistanceCases.OPERATION,
          ChannelCases.OPERATION,
          SpatialCases.OPERATION,
          LinearCases.OPERATION,
          ProjectionCases.OPERATION,
          RotaryCases.OPERATION,
          AppendCases.OPERATION,
          NormCases.OPERATION,
          ActivationCases.OPERATION,
          EmbeddingCases.OPERATION,
          CrossEntropyCases.OPERATION,
          MergeCases.OPERATION,
          OptimizerCases.OPERATION);

  private Operations() {}

  /** All of them; the first is what is checked unless told otherwise. */
  public static List<Operation> all() {
    return ALL;
  }

  /** The operation of that name, in letters of either case. */
  public static Operation of(String name) {
    for (Operation operation : ALL) {
      if (operation.toString().equalsIgnoreCase(name)) {
        return operation;
      }
    }
    String names = ALL.stream().map(Operation::toString).collect(Collectors.joining(" or "));
    throw new IllegalArgumentException("'" + name + "' is not " + names);
  }
}
