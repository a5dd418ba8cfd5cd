package dev.fovea.bench;

import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
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
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** Attention with a modifier over the operands of a case, [1, S, H, D]; all of it is verified. */
final class FoveaModifier extends ComposedSide<ModifierProblem> {

  private final AttentionCase c;
  private final Operands data;
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor learned; // that the modifier is made of; null for none
  private final Tensor out;
  private final Tensor ungated; // null without gates of the output
  private final Tensor lse;
  private final Tensor dout; // null in a forward pass
  private final List<Tensor> gradients;

  /** Allocates the operands; of a backward pass also runs the forward pass. */
  FoveaModifier(ModifierProblem problem) {
    super(problem);
    c = problem.builder().build();
    data = Operands.of(c);
    query = rows(data.query());
    key = rows(data.key());
    value = rows(data.value());
    learned = learned();
    long[] shape = query.shape();
    out = scope().allocate(problem.dtype(), shape);
    boolean gated = problem.modifier() == Modifier.OUTPUT_GATES;
    ungated =
        gated && problem.pass() == Pass.BACKWARD ? scope().allocate(problem.dtype(), shape) : null;
    lse = scope().allocate(DType.FLOAT32, 1, problem.heads(), problem.sequence());
    if (problem.pass() == Pass.BACKWARD) {
      dout = random(scope().allocate(problem.dtype(), shape), 4);
      gradients = new ArrayList<>();
      for (Tensor operand : operands()) {
        gradients.add(scope().allocate(operand.dtype(), operand.shape()));
      }
      forward(1).run();
    } else {
      dout = null;
      gradients = List.of();
    }
  }

  private Tensor rows(float[] values) {
    ModifierProblem p = problem();
    return scope().copyOf(values, p.dtype(), 1, p.sequence(), p.heads(), p.headDim());
  }

  private Tensor learned() {
    long length = problem().sequence();
    long heads = problem().heads();
    return switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> null;
      case RELATIVE -> scope().copyOf(data.table(), heads, data.table().length / heads);
      case GAUSSIAN -> scope().copyOf(data.rows().getFirst(), 1, heads, length);
      case SPAN -> scope().copyOf(data.rows().getFirst(), 1, heads, 1);
      case KEY_GATES -> scope().copyOf(data.keyGates(), 1, heads, length);
      case OUTPUT_GATES ->
          scope().copyOf(data.outputGates(), 1, length, heads, problem().headDim());
    };
  }

  private AttentionCall forward(int threads) {
    AttentionCall call = CaseRun.spec(c.options()).call(query, key, value).out(out).lse(lse);
    switch (problem().modifier()) {
      case MASK -> call.mask(seen(data.mask()));
      case RELATIVE -> call.relativeBias(learned, scope().copyOf(data.buckets(), buckets()));
      case GAUSSIAN -> call.gaussianCenters(learned);
      case SPAN -> call.spans(learned);
      case KEY_GATES -> call.keyGates(learned);
      case OUTPUT_GATES -> call.outputGates(learned);
      case IMAGE_WINDOW -> {}
    }
    if (ungated != null) {
      call.ungated(ungated);
    }
    return call.parallelism(threads);
  }

  private Tensor seen(float[] mask) {
    boolean[] seen = new boolean[mask.length];
    for (int i = 0; i < seen.length; i++) {
      seen[i] = mask[i] != 0;
    }
    return scope().copyOf(seen, 1, 1, problem().sequence(), problem().sequence());
  }

  private int buckets() {
    return data.buckets().length;
  }

  private AttentionBackward backward(int threads) {
    AttentionBackward backward =
        forward(threads)
            .gradients(dout, ungated == null ? out : ungated, lse)
            .dquery(gradients.get(0))
            .dkey(gradients.get(1))
            .dvalue(gradients.get(2));
    switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> {}
      case RELATIVE -> backward.drelativeTable(gradients.get(3));
      case GAUSSIAN -> backward.dgaussianCenters(gradients.get(3));
      case SPAN -> backward.dspans(gradients.get(3));
      case KEY_GATES -> backward.dkeyGates(gradients.get(3));
      case OUTPUT_GATES -> backward.doutputGates(gradients.get(3));
    }
    return backward;
  }

  @Override
  Runnable work(int threads) {
    return dout == null ? forward(threads)::run : backward(threads)::run;
  }

  @Override
  List<AttentionPlan> plans() {
    AttentionPlan forward = forward(1).plan();
    return dout == null ? List.of(forward) : List.of(forward, backward(1).plan());
  }

  @Override
  List<Tensor> operands() {
    return Stream.of(query, key, value, learned).filter(Objects::nonNull).toList();
  }

  @Override
  Tensor dout() {
    return dout;
  }

  @Override
  Composition composition() {
    int length = problem().sequence();
    byte[] seen = null;
    long[] bucketOf = null;
    switch (problem().modifier()) {
      case MASK, IMAGE_WINDOW -> {
        seen = new byte[length * length];
        for (int i = 0; i < length; i++) {
          for (int j = 0; j < length; j++) {
            seen[i * length + j] = (byte) (sees(i, j) ? 1 : 0);
          }
        }
      }
      case RELATIVE -> {
        bucketOf = new long[length * length];
        int reach = data.buckets().length / 2;
        int columns = data.table().length / problem().heads();
        for (int i = 0; i < length; i++) {
          for (int j = 0; j < length; j++) {
            int bucket = data.buckets()[Math.clamp(j - i, -reach, reach) + reach];
            bucketOf[i * length + j] = Math.clamp(bucket, 0, columns - 1);
          }
        }
      }
      default -> {}
    }
    return new ModifierComposition(problem(), seen, bucketOf);
  }

  private boolean sees(int i, int j) {
    if (problem().modifier() == Modifier.MASK) {
      return data.mask()[i * problem().sequence() + j] != 0;
    }
    int width = ModifierProblem.IMAGE_WIDTH;
    return Math.abs(i / width - j / width) <= ModifierProblem.IMAGE_REACH
        && Math.abs(i % width - j % width) <= ModifierProblem.IMAGE_REACH;
  }

  @Override
  List<Tensor> outputs() {
    return dout == null ? List.of(out) : gradients;
  }

  @Override
  List<Tensor> saved() {
    return dout == null
        ? List.of()
        : Stream.of(out, ungated, lse).filter(Objects::nonNull).toList();
  }

  @Override
  double verifyRows() {
    if (dout == null) {
      return compare("out", out, Oracle.run(c, data, Precision.CPU).out());
    }
    Tensor saved = ungated == null ? out : ungated;
    BackwardOperands all =
        new BackwardOperands(
            data, dout.toFloatArray(), saved.toFloatArray(), lse.toFloatArray(), null, null);
    Gradients expected =
        BackwardOracle.run(new BackwardBuilder(problem().builder()).build(), all, Precision.CPU);
    double worst = compare("dquery", gradients.get(0), expected.dquery());
    worst = Math.max(worst, compare("dkey", gradients.get(1), expected.dkey()));
    worst = Math.max(worst, compare("dvalue", gradients.get(2), expected.dvalue()));
    Expected ofLearned =
        switch (problem().modifier()) {
          case MASK, IMAGE_WINDOW -> null;
          case RELATIVE -> expected.dtable();
          case GAUSSIAN, SPAN -> expected.drows().getFirst();
          case KEY_GATES -> expected.dkeyGates();
          case OUTPUT_GATES -> expected.doutputGates();
        };
    if (ofLearned != null) {
      worst = Math.max(worst, compare("what is learned", gradients.get(3), ofLearned));
    }
    return worst;
  }

  private double compare(String name, Tensor output, Expected expected) {
    return OracleRows.compare(problem() + ": " + name, output.toFloatArray(), expected);
  }
}
