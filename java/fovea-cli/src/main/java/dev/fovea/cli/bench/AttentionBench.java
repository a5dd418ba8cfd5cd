package dev.fovea.cli.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.ffi.OpenBlas;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.attention.AttentionCase;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Fovea beside OpenBLAS on one shape, on the CPU: its matrix product of 1024 x 1024 x 1024, which
 * says how fast this machine is right now, and unfused attention made of it. All take turns in one
 * run; ratios are medians of each round's ratio.
 */
public final class AttentionBench implements AutoCloseable {

  /** More rounds do not fit into a day. */
  public static final int MOST_ROUNDS = 1_000_000;

  private static final int SGEMM = 1024;
  private static final double SGEMM_FLOPS = 2.0 * SGEMM * SGEMM * SGEMM;

  /** A measurement repeats its work until it takes so long, in seconds. */
  private static final double SHORTEST = 0.03;

  /** Seconds of warming up: the peers' softmax is Java. */
  private static final double WARM_UP = 0.5;

  /** Products the oracle may compute: some seconds. */
  private static final double ORACLE_PRODUCTS = 1.5e9;

  /**
   * Speeds in GFLOP/s, medians of the rounds; FLOPs of attention are those of unmasked pairs.
   *
   * @param fovea ours
   * @param sgemm OpenBLAS's matrix product, float32
   * @param unfused attention by OpenBLAS, float32 whatever the type of ours
   * @param overSgemm ours over the matrix product
   * @param overUnfused ours over unfused attention
   */
  public record Result(
      double fovea, double sgemm, double unfused, double overSgemm, double overUnfused) {}

  private final AttentionSizes sizes;
  private final int threads;
  private final Scope scope;
  private final Scope host = Scope.open();
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor out;
  private final AttentionCall call;

  /** Operands of N(0,1). */
  public AttentionBench(AttentionSizes sizes, Device device, int threads) {
    this.sizes = sizes;
    this.threads = threads;
    scope = Scope.open(device);
    query = random(1, sizes.queryLength(), sizes.heads());
    key = random(2, sizes.keyLength(), sizes.keyHeads());
    value = random(3, sizes.keyLength(), sizes.keyHeads());
    out = allocate(sizes.queryLength(), sizes.heads());
    Attention.Builder attention = Attention.builder();
    if (sizes.causal()) {
      attention.causal();
    }
    call = attention.build().call(query, key, value).out(out).parallelism(threads);
    call.plan(); // what it does not take is said before any work
  }

  private Tensor allocate(int length, int heads) {
    return scope.allocate(sizes.dtype(), sizes.batch(), length, heads, sizes.headDim());
  }

  private Tensor random(long seed, int length, int heads) {
    Random random = new Random(seed);
    float[] values =
        new float[Math.toIntExact((long) sizes.batch() * length * heads * sizes.headDim())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return allocate(length, heads).copyFrom(values);
  }

  /** The kernel that the plan chose. */
  public String kernel() {
    return call.plan().kernel();
  }

  /**
   * Compares the first sequence's first key head, for all of its query heads, with the oracle: all
   * query rows, or as many of the last ones as it computes within seconds.
   *
   * @return how many rows were compared
   * @throws IllegalStateException if one is wrong: then there is nothing to time
   */
  public int verify() {
    double perRow = 2.0 * sizes.group() * sizes.keyLength() * sizes.headDim();
    int rows = (int) Math.clamp(ORACLE_PRODUCTS / perRow, 1, sizes.queryLength());
    int skipped = sizes.queryLength() - rows;
    CaseBuilder builder =
        new CaseBuilder()
            .dtype(sizes.dtype())
            .lengths(1, rows, sizes.keyLength())
            .heads(sizes.group(), 1)
            .headDim(sizes.headDim())
            .outputs(false, false);
    // The last rows of a longer query are a query of their own: both end at the last key.
    AttentionCase part = (sizes.causal() ? builder.causal() : builder).build();
    Operands data = Operands.of(part);
    sub(query, skipped, sizes.group()).copyFrom(data.query());
    sub(key, 0, 1).copyFrom(data.key());
    sub(value, 0, 1).copyFrom(data.value());
    out.fill(Float.NaN);
    call.run();
    Tensor computed = sub(out, skipped, sizes.group());
    Tensor dense = host.allocate(out.dtype(), computed.shape()).copyFrom(computed);
    Expected expected = Oracle.run(part, data, Precision.of(scope.device().name())).out();
    String wrong = Comparison.compare("out", dense.segment(), expected);
    if (wrong != null) {
      throw new IllegalStateException("the result is wrong, so it is not timed: " + wrong);
    }
    return rows * sizes.group();
  }

  private Tensor sub(Tensor tensor, long firstRow, long heads) {
    return tensor.slice(0, 0, 1).slice(1, firstRow, tensor.size(1)).slice(2, 0, heads);
  }

  /** Times all three in turn, {@code rounds} times. */
  public Result run(int rounds) throws InterruptedException {
    Tensor query32 = single(query);
    Tensor key32 = single(key);
    Tensor value32 = single(value);
    Tensor out32 = host.allocate(DType.FLOAT32, out.shape());
    MemorySegment a = matrix();
    MemorySegment b = matrix();
    MemorySegment c = matrix();
    try (UnfusedAttention unfused = new UnfusedAttention(sizes, threads)) {
      Work fovea = call::run;
      Work sgemm =
          () -> {
            OpenBlas.setThreads(threads);
            OpenBlas.sgemm(false, false, SGEMM, SGEMM, SGEMM, 1, a, SGEMM, b, SGEMM, 0, c, SGEMM);
            OpenBlas.setThreads(1);
          };
      Work apart =
          () -> unfused.run(query32.segment(), key32.segment(), value32.segment(), out32.segment());
      int foveaTimes = times(fovea);
      int sgemmTimes = times(sgemm);
      int apartTimes = times(apart);
      agree(out32);
      List<double[]> speeds = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        double ours = sizes.flops() / seconds(fovea, foveaTimes) * 1e-9;
        double product = SGEMM_FLOPS / seconds(sgemm, sgemmTimes) * 1e-9;
        double theirs = sizes.flops() / seconds(apart, apartTimes) * 1e-9;
        speeds.add(new double[] {ours, product, theirs, ours / product, ours / theirs});
      }
      return new Result(
          Medians.of(speeds, 0),
          Medians.of(speeds, 1),
          Medians.of(speeds, 2),
          Medians.of(speeds, 3),
          Medians.of(speeds, 4));
    }
  }

  private Tensor single(Tensor tensor) {
    return host.allocate(DType.FLOAT32, tensor.shape()).copyFrom(tensor);
  }

  private MemorySegment matrix() {
    return host.allocate(DType.FLOAT32, SGEMM, SGEMM).fill(0.5f).segment();
  }

  /** A peer that computes something else is no peer. */
  private void agree(Tensor unfused) {
    float[] ours = out.toFloatArray();
    float[] theirs = unfused.toFloatArray();
    double tolerance = sizes.dtype() == DType.FLOAT32 ? 1e-4 : 4e-2;
    for (int i = 0; i < ours.length; i++) {
      if (!(Math.abs(ours[i] - theirs[i]) <= tolerance)) {
        throw new IllegalStateException(
            "unfused attention differs at element %d: %s and %s".formatted(i, ours[i], theirs[i]));
      }
    }
  }

  private interface Work {
    void run() throws InterruptedException;
  }

  /** Warms up, and finds how often the work must run to be timed. */
  private static int times(Work work) throws InterruptedException {
    double best = Double.MAX_VALUE;
    double spent = 0;
    for (int i = 0; i < 3 || spent < WARM_UP; i++) {
      double once = seconds(work, 1);
      best = Math.min(best, once);
      spent += once;
    }
    return (int) Math.max(1, Math.ceil(SHORTEST / best));
  }

  private static double seconds(Work work, int times) throws InterruptedException {
    long start = System.nanoTime();
    for (int i = 0; i < times; i++) {
      work.run();
    }
    return (System.nanoTime() - start) * 1e-9 / times;
  }

  @Override
  public void close() {
    scope.close();
    host.close();
  }
}
