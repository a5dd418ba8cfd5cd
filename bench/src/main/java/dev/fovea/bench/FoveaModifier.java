package dev.fovea.bench;

import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.bench.ModifierProblem.Modifier;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.AttentionCase;
import dev.fovea.testkit.attention.BackwardBuilder;
import dev.fovea.testkit.attention.BackwardOperands;
import dev.fovea.testkit.attention.BackwardOracle;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.CaseRun;
import dev.fovea.testkit.attention.ImageWindow;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.attention.Relative;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiPredicate;
import java.util.stream.Stream;

/** Attention with a modifier over the operands of a case, [1, S, H, D]; all of it is verified. */
final class FoveaModifier extends BatchedSide<ModifierProblem> {

  private final AttentionCase c;
  private final Operands data;
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final List<Tensor> learned; // that the modifier is made of
  private final Tensor given; // what it has besides: mask or buckets; null for none
  private final Tensor ungated; // null without gates of the output
  private final Tensor lse;

  /** Allocates the operands; of a backward pass also runs and verifies the forward pass. */
  FoveaModifier(ModifierProblem problem) {
    super(problem);
    c = problem.builder().build();
    data = Operands.of(c);
    query = operand("query", rows().copyFrom(data.query()), rows());
    key = operand("key", rows().copyFrom(data.key()), rows());
    value = operand("value", rows().copyFrom(data.value()), rows());
    learned = learned();
    for (int i = 0; i < learned.size(); i++) {
      Tensor it = learned.get(i);
      operand("learned" + i, it, scope().allocate(it.dtype(), it.shape()));
    }
    given = given();
    ungated = isBackward() && problem.modifier() == Modifier.OUTPUT_GATES ? rows() : null;
    lse = scope().allocate(DType.FLOAT32, 1, problem.heads(), problem.sequence());
    finish(rows(), rows());
  }

  private Tensor rows() {
    ModifierProblem p = problem();
    return scope().allocate(p.dtype(), 1, p.sequence(), p.heads(), p.headDim());
  }

  private List<Tensor> learned() {
    long length = problem().sequence();
    long heads = problem().heads();
    long width = problem().headDim();
    return switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> List.of();
      case RELATIVE ->
          List.of(scope().copyOf(data.table(), heads, c.options().relative().columns()));
      case ALIBI -> List.of(scope().copyOf(data.alibi(), heads));
      case WRITTEN ->
          List.of(
              scope().copyOf(data.modifierTable(), heads, c.layouts().modifierTable().size()[2]));
      case GAUSSIAN -> List.of(scope().copyOf(data.rows().getFirst(), 1, heads, length));
      case SPAN -> List.of(scope().copyOf(data.rows().getFirst(), 1, heads, 1));
      case KEY_GATES -> List.of(scope().copyOf(data.keyGates(), 1, heads, length));
      case OUTPUT_GATES -> List.of(scope().copyOf(data.outputGates(), 1, length, heads, width));
      case POSITIONS ->
          List.of(
              scope().copyOf(data.positions().contentBias(), heads, width),
              scope().copyOf(data.positions().positionBias(), heads, width),
              scope()
                  .allocate(problem().dtype(), length, heads, width)
                  .copyFrom(data.positions().keys()));
    };
  }

  private Tensor given() {
    long length = problem().sequence();
    return switch (problem().modifier()) {
      case MASK -> {
        boolean[] seen = new boolean[data.mask().length];
        for (int i = 0; i < seen.length; i++) {
          seen[i] = data.mask()[i] != 0;
        }
        yield scope().copyOf(seen, 1, 1, length, length);
      }
      case RELATIVE -> scope().copyOf(data.buckets(), data.buckets().length);
      default -> null;
    };
  }

  @Override
  AttentionCall forward(int threads) {
    AttentionCall call = CaseRun.spec(c).call(query, key, value).out(out()).lse(lse);
    switch (problem().modifier()) {
      case MASK -> call.mask(given);
      case RELATIVE -> call.relativeBias(learned.getFirst(), given);
      case ALIBI -> call.alibiSlopes(learned.getFirst());
      case WRITTEN -> call.modifierTable(learned.getFirst());
      case GAUSSIAN -> call.gaussianCenters(learned.getFirst());
      case SPAN -> call.spans(learned.getFirst());
      case KEY_GATES -> call.keyGates(learned.getFirst());
      case OUTPUT_GATES -> call.outputGates(learned.getFirst()).ungated(ungated);
      case POSITIONS ->
          call.contentBias(learned.get(0))
              .positionBias(learned.get(1))
              .positionKeys(learned.get(2));
      case IMAGE_WINDOW -> {}
    }
    return call.parallelism(threads);
  }

  @Override
  AttentionBackward backward(int threads) {
    AttentionBackward backward =
        forward(threads)
            .gradients(dout(), saved().getFirst(), lse)
            .dquery(gradient("dquery"))
            .dkey(gradient("dkey"))
            .dvalue(gradient("dvalue"));
    Tensor dlearned = gradient("dlearned0");
    switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> {}
      case RELATIVE -> backward.drelativeTable(dlearned);
      case ALIBI -> backward.dalibiSlopes(dlearned);
      case WRITTEN -> backward.dmodifierTable(dlearned);
      case GAUSSIAN -> backward.dgaussianCenters(dlearned);
      case SPAN -> backward.dspans(dlearned);
      case KEY_GATES -> backward.dkeyGates(dlearned);
      case OUTPUT_GATES -> backward.doutputGates(dlearned);
      case POSITIONS ->
          backward
              .dcontentBias(dlearned)
              .dpositionBias(gradient("dlearned1"))
              .dpositionKeys(gradient("dlearned2"));
    }
    return backward;
  }

  @Override
  int batch() {
    return 1;
  }

  /** Not every operand has a dimension for the batch. */
  @Override
  boolean isShared(String operand) {
    return true;
  }

  /** What the backward pass takes for out comes first. */
  @Override
  List<Tensor> saved() {
    return isBackward()
        ? Stream.of(ungated, out(), lse).filter(Objects::nonNull).toList()
        : List.of();
  }

  @Override
  Composition composition() {
    int length = problem().sequence();
    return switch (problem().modifier()) {
      case MASK ->
          new ModifierComposition(
              problem(), dense((i, j) -> data.mask()[i * length + j] != 0), null);
      case IMAGE_WINDOW -> {
        ImageWindow window = c.options().imageWindow();
        yield new ModifierComposition(problem(), dense((i, j) -> window.sees(i, j)), null);
      }
      case RELATIVE -> {
        Relative relative = c.options().relative();
        long[] columns = new long[length * length];
        for (int at = 0; at < columns.length; at++) {
          columns[at] = relative.column(data.buckets(), at % length - at / length);
        }
        yield new ModifierComposition(problem(), null, columns);
      }
      default -> new ModifierComposition(problem(), null, null);
    };
  }

  private byte[] dense(BiPredicate<Integer, Integer> sees) {
    int length = problem().sequence();
    byte[] dense = new byte[length * length];
    for (int at = 0; at < dense.length; at++) {
      dense[at] = (byte) (sees.test(at / length, at % length) ? 1 : 0);
    }
    return dense;
  }

  @Override
  Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> values) {
    if (pass == Pass.FORWARD) {
      return Map.of("out", Oracle.run(c, data, Precision.of("cpu")).out());
    }
    BackwardOperands all =
        new BackwardOperands(
            data,
            values.get("dout"),
            saved().getFirst().toFloatArray(),
            lse.toFloatArray(),
            null,
            null);
    Gradients expected =
        BackwardOracle.run(
            new BackwardBuilder(problem().builder()).build(), all, Precision.of("cpu"));
    Map<String, Expected> gradients = new HashMap<>();
    gradients.put("dquery", expected.dquery());
    gradients.put("dkey", expected.dkey());
    gradients.put("dvalue", expected.dvalue());
    switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> {}
      case RELATIVE -> gradients.put("dlearned0", expected.dtable());
      case ALIBI -> gradients.put("dlearned0", expected.dalibi());
      case WRITTEN -> gradients.put("dlearned0", expected.dmodifierTable());
      case GAUSSIAN, SPAN -> gradients.put("dlearned0", expected.drows().getFirst());
      case KEY_GATES -> gradients.put("dlearned0", expected.dkeyGates());
      case OUTPUT_GATES -> gradients.put("dlearned0", expected.doutputGates());
      case POSITIONS -> {
        gradients.put("dlearned0", expected.dcontentBias());
        gradients.put("dlearned1", expected.dpositionBias());
        gradients.put("dlearned2", expected.dpositionKeys());
      }
    }
    return gradients;
  }
}
