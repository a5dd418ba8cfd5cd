package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.BlockMask;
import dev.fovea.DType;
import dev.fovea.Layout;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.BackwardBuilder;
import dev.fovea.testkit.attention.BackwardOperands;
import dev.fovea.testkit.attention.BackwardOracle;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Attention with a block mask over operands [1, S, H, D] of N(0,1), each head one dense matrix. A
 * row is compared with the oracle as a case of those keys, or queries, that its blocks list.
 */
final class FoveaBlocks extends ComposedSide<BlockProblem> {

  private final boolean[][] blocks;
  private final BlockMask mask;
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor out;
  private final Tensor lse;
  private final Tensor dout; // null in a forward pass
  private final List<Tensor> gradients;

  /** Allocates the operands; of a backward pass also runs the forward pass. */
  FoveaBlocks(BlockProblem problem) {
    super(problem);
    blocks = problem.blocks();
    mask = BlockMask.of(scope(), blocks);
    query = random(rows(), 1);
    key = random(rows(), 2);
    value = random(rows(), 3);
    out = rows();
    lse = scope().allocate(DType.FLOAT32, 1, problem.heads(), problem.sequence());
    if (problem.pass() == Pass.BACKWARD) {
      dout = random(rows(), 4);
      gradients = List.of(rows(), rows(), rows());
      forward(1).run();
    } else {
      dout = null;
      gradients = List.of();
    }
  }

  private Tensor rows() {
    BlockProblem p = problem();
    return scope().allocate(Layout.BHSD, p.dtype(), 1, p.sequence(), p.heads(), p.headDim());
  }

  private AttentionCall forward(int threads) {
    int block = problem().block();
    return Attention.builder()
        .blockSize(block, block)
        .build()
        .call(query, key, value)
        .blockMask(mask.offsets(), mask.indices())
        .out(out)
        .lse(lse)
        .parallelism(threads);
  }

  private AttentionBackward backward(int threads) {
    return forward(threads)
        .gradients(dout, out, lse)
        .dquery(gradients.get(0))
        .dkey(gradients.get(1))
        .dvalue(gradients.get(2));
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
    return List.of(query, key, value);
  }

  @Override
  Tensor dout() {
    return dout;
  }

  @Override
  Composition composition() {
    return new BlockComposition(problem());
  }

  @Override
  List<Tensor> outputs() {
    return dout == null ? List.of(out) : gradients;
  }

  @Override
  List<Tensor> saved() {
    return dout == null ? List.of() : List.of(out, lse);
  }

  @Override
  double verifyRows() {
    BlockProblem p = problem();
    return OracleRows.each(p.heads(), p.sequence(), dout == null ? this::ofOut : this::ofGradients);
  }

  private double ofOut(int head, int row) {
    int[] keys = listed(j -> blocks[row / problem().block()][j / problem().block()]);
    int[] one = {row};
    Operands data = operands(head, one, keys);
    CaseBuilder c = sized(1, keys.length).outputs(false, false);
    return compare("out", out, head, row, Oracle.run(c.build(), data, Precision.of("cpu")).out());
  }

  private double ofGradients(int head, int row) {
    int block = problem().block();
    int[] one = {row};
    int[] keys = listed(j -> blocks[row / block][j / block]);
    int[] queries = listed(i -> blocks[i / block][row / block]);
    Gradients ofQuery = gradients(head, one, keys);
    Gradients ofKey = gradients(head, queries, one);
    double worst = compare("dquery", gradients.get(0), head, row, ofQuery.dquery());
    worst = Math.max(worst, compare("dkey", gradients.get(1), head, row, ofKey.dkey()));
    return Math.max(worst, compare("dvalue", gradients.get(2), head, row, ofKey.dvalue()));
  }

  private Gradients gradients(int head, int[] queries, int[] keys) {
    BackwardBuilder c = new BackwardBuilder(sized(queries.length, keys.length));
    float[] sums = lse.select(0, 0).select(0, head).toFloatArray();
    float[] ofQueries = new float[queries.length];
    for (int i = 0; i < queries.length; i++) {
      ofQueries[i] = sums[queries[i]];
    }
    BackwardOperands data =
        new BackwardOperands(
            operands(head, queries, keys),
            gather(dout, head, queries),
            gather(out, head, queries),
            ofQueries,
            null,
            null);
    return BackwardOracle.run(c.build(), data, Precision.of("cpu"));
  }

  private Operands operands(int head, int[] queries, int[] keys) {
    return new Operands(
        gather(query, head, queries),
        gather(key, head, keys),
        gather(value, head, keys),
        null,
        null,
        null);
  }

  private CaseBuilder sized(int queries, int keys) {
    BlockProblem p = problem();
    return new CaseBuilder().dtype(p.dtype()).lengths(1, queries, keys).headDim(p.headDim());
  }

  private int[] listed(IntPredicate which) {
    return IntStream.range(0, problem().sequence()).filter(which).toArray();
  }

  private static float[] gather(Tensor tensor, int head, int[] rows) {
    float[] all = tensor.select(0, 0).select(1, head).toFloatArray();
    int width = (int) tensor.size(3);
    float[] some = new float[rows.length * width];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(all, rows[i] * width, some, i * width, width);
    }
    return some;
  }

  private double compare(String name, Tensor output, int head, int row, Expected expected) {
    String what = "%s: %s of head %d, row %d".formatted(problem(), name, head, row);
    return OracleRows.compare(what, OracleRows.rows(output, head, row, row + 1), expected);
  }
}
