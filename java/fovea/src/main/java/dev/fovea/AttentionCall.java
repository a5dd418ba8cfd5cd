package dev.fovea;

import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;

/**
 * Operands bound to an {@link Attention}: built once, run many times. The contents of the operands
 * may change between runs. The first run after a change of bindings checks them and plans; every
 * later one goes straight to the kernel and allocates nothing on the Java heap, or for each thread
 * beyond the caller the node of an executor's queue.
 *
 * <p>One call belongs to one thread at a time: each method claims it for as long as it takes, and
 * using it from two threads at once, setters among them, throws {@link IllegalStateException} and
 * changes nothing. Any number of calls may run at once that share attention, plan, executor and
 * tensors; those that write the same memory race with each other.
 *
 * <p>What throws changes no binding, and leaves the call as usable as it was.
 *
 * <p>The memory of a run (workspace, and scratch for each worker) belongs to this object and goes
 * with it.
 */
public final class AttentionCall {
  private final Attention attention;
  private final AttentionOperands operands;
  private final RunMemory memory;
  private final Claim claim = new Claim();
  private final ForwardRun lastRun = new ForwardRun();

  private Stream stream; // null: the device's own
  private Executor executor = ForkJoinPool.commonPool();
  private int parallelism = Runtime.getRuntime().availableProcessors();
  private boolean seeded;
  private long dropoutSeed;
  private int dropoutOffset;

  private BoundAttention bound; // null: bindings have changed since the last run
  private long bindings; // counts their changes
  private Fanout fanout; // null: no executor has been used yet, or it has changed

  /** {@code memory} is null for a call that has its own. */
  AttentionCall(Attention attention, Tensor query, Tensor key, Tensor value, RunMemory memory) {
    this.attention = attention;
    this.operands =
        new AttentionOperands(
            Objects.requireNonNull(query, "query"),
            Objects.requireNonNull(key, "key"),
            Objects.requireNonNull(value, "value"));
    this.memory = memory != null ? memory : new RunMemory();
  }

  /**
   * Added to the scaled scores before masking: [B or 1, Hq or 1, Sq or 1, Sk] of any floating type,
   * or without the first or the first two dimensions: [Hq or 1, Sq or 1, Sk], [Sq or 1, Sk];
   * packed: [Hq or 1, Tq, longest Sk] or [Tq, longest Sk]. Null for none. A finite mask may serve
   * as well as -inf, but a row that has nothing else then attends to all its keys; scores below
   * -2.3e38 count as -inf. {@link Masks} makes one of a boolean mask.
   */
  public AttentionCall bias(Tensor bias) {
    claim.begin();
    operands.bias = bias;
    return operandBound();
  }

  /**
   * ALiBi (Press et al., 2021): adds slope * (j - position), or -slope * |j - position| without a
   * causal mask. [Hq] or [B, Hq], {@link DType#FLOAT32}. Null for none.
   */
  public AttentionCall alibiSlopes(Tensor slopes) {
    claim.begin();
    operands.alibiSlopes = slopes;
    return operandBound();
  }

  /**
   * A score for each head that joins the softmax sum without a value: [Hq], {@link DType#FLOAT32}.
   */
  public AttentionCall sinks(Tensor sinks) {
    claim.begin();
    operands.sinks = sinks;
    return operandBound();
  }

  /**
   * Lengths of the query sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length. Not with {@link #cuSeqlens}, which has them.
   */
  public AttentionCall queryLengths(Tensor lengths) {
    claim.begin();
    operands.queryLengths = lengths;
    return operandBound();
  }

  /**
   * Lengths of the key sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length. {@link Masks#keyLengths} makes them of a padding mask. With
   * {@link #cuSeqlens}, a sequence has only the first so many of its rows of key and value, as in a
   * cache that is not full.
   */
  public AttentionCall keyLengths(Tensor lengths) {
    claim.begin();
    operands.keyLengths = lengths;
    return operandBound();
  }

  /**
   * Makes the batch packed: sequences lie end to end without padding, sequence b is rows {@code
   * offsets[b]} to {@code offsets[b + 1] - 1}. Then query is [Tq, Hq, D], key [Tk, Hk, D], value
   * [Tk, Hk, Dv], out [Tq, Hq, Dv].
   *
   * <p>Every row belongs to a sequence: offsets end at Tq and Tk. A plan refuses more rows than B
   * sequences of the longest length can have, and a run on the CPU offsets that do not rise as they
   * should. A GPU has them in its own memory and cannot report them: it takes the nearest that are
   * possible, and rows that no sequence has stay as they were in all that it writes.
   *
   * @param query offsets, [B + 1] {@link DType#INT32}, rising from 0 to Tq
   * @param key offsets, [B + 1] {@link DType#INT32}, rising from 0 to Tk
   * @param longestQuery at least the length of the longest query sequence; the plan depends on it
   * @param longestKey at least the length of the longest key sequence; the plan depends on it
   */
  public AttentionCall cuSeqlens(Tensor query, Tensor key, long longestQuery, long longestKey) {
    Objects.requireNonNull(query, "query");
    Objects.requireNonNull(key, "key");
    notNegative("longestQuery", longestQuery);
    notNegative("longestKey", longestKey);
    claim.begin();
    operands.cuSeqlensQ = query;
    operands.cuSeqlensK = key;
    operands.longestQuery = longestQuery;
    operands.longestKey = longestKey;
    return operandBound();
  }

  private static void notNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " is " + value + ", expected zero or more");
    }
  }

  /**
   * What dropout draws from: seed and offset together name the random numbers of a run
   * (Philox4x32-10, Salmon et al., 2011). Give every step of training its own pair: runs with the
   * same one drop the same weights. Where there is dropout, nothing runs before it is set.
   */
  public AttentionCall dropoutSeed(long seed, int offset) {
    claim.begin();
    dropoutSeed = seed;
    dropoutOffset = offset;
    seeded = true;
    claim.end();
    return this;
  }

  /**
   * Where the result goes: [B, Sq, Hq, Dv]; packed: [Tq, Hq, Dv].
   *
   * <p>Like lse and weights it shares no element with any other operand: a run in place, with out
   * over query, is refused. Views that lie between each other, such as the three of [B, S, 3, H,
   * D], share none.
   */
  public AttentionCall out(Tensor out) {
    claim.begin();
    operands.out = out;
    return operandBound();
  }

  /**
   * Where the logarithms of the softmax sums go: [B, Hq, Sq] {@link DType#FLOAT32}; packed: [Hq,
   * Tq]. Null if they are not wanted; a {@linkplain #gradients backward pass} needs them.
   */
  public AttentionCall lse(Tensor lse) {
    claim.begin();
    operands.lse = lse;
    return operandBound();
  }

  /**
   * Where the attention weights go, before dropout: [B, Hq, Sq, Sk] {@link DType#FLOAT32}; packed:
   * [Hq, Tq, longest Sk]. Null if they are not wanted.
   */
  public AttentionCall weights(Tensor weights) {
    claim.begin();
    operands.weights = weights;
    return bound();
  }

  /**
   * The stream that runs are queued in; null for the {@linkplain Device#stream own} one of the
   * device, as it is unless set. A run in another than the run before waits for that, because they
   * share a workspace.
   */
  public AttentionCall stream(Stream stream) {
    claim.begin();
    this.stream = stream;
    return bound();
  }

  /**
   * Where helpers run; the common pool unless set. A run never depends on it: the calling thread
   * works itself, and does everything if the executor is saturated or shut down, drops tasks, or
   * throws whatever it likes, an {@link Error} for want of threads included. What it throws is not
   * seen.
   */
  public AttentionCall executor(Executor executor) {
    Objects.requireNonNull(executor, "executor");
    claim.begin();
    this.executor = executor;
    fanout = null;
    claim.end();
    return this;
  }

  /**
   * How many threads a run may use, the caller included; 1 keeps it on the caller. The number of
   * processors unless set. The result has the same bits for any number. Short runs and those on
   * memory confined to one thread use the caller alone.
   */
  public AttentionCall parallelism(int workers) {
    if (workers < 1) {
      throw new IllegalArgumentException("parallelism is " + workers + ", expected at least 1");
    }
    claim.begin();
    parallelism = workers;
    return bound();
  }

  /**
   * The plan that the next run uses.
   *
   * @throws IllegalStateException if out is not set, or this call is running
   * @throws IllegalArgumentException if operands do not fit together, or one that is written
   *     overlaps another
   * @throws UnsupportedOperationException if the device has no kernel for this
   */
  public AttentionPlan plan() {
    claim.begin();
    try {
      return bind().plan();
    } finally {
      claim.end();
    }
  }

  /**
   * Computes. Returns when out is written; on a device with streams, when the work is in the
   * stream. While a stream is being {@linkplain Stream#capture captured}, runs become part of the
   * graph.
   *
   * @throws IllegalArgumentException if operands do not fit together, one that is written overlaps
   *     another, or lengths or offsets in them are out of range
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if out is not set, there is dropout but no {@linkplain
   *     #dropoutSeed seed}, a scope or arena is closed, or this call is already running
   * @throws WrongThreadException if an operand is confined to another thread
   * @throws FoveaException if the library or the device fails
   */
  public void run() {
    claim.begin();
    try {
      requireSeed();
      run(bind(), operands.out);
    } finally {
      claim.end();
    }
  }

  /**
   * Runs with a new dense tensor in {@code scope} in place of out, and returns that. What is bound
   * as out stays so, and stays as it is, even where nothing is; lse and weights are written where
   * they are bound. A {@linkplain #gradients(Tensor) backward pass} of this run reads the new
   * tensor.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor forward(Scope scope) {
    claim.begin();
    try {
      requireSeed();
      Tensor out = operands.newOut(scope, attention.options());
      run(bind(operands.with(out, operands.lse)), out);
      return out;
    } finally {
      claim.end();
    }
  }

  /**
   * The backward pass of this call's own forward: of its last run when the backward pass runs, with
   * the out, lse and seed of that, so that one object serves many steps of training. It may be made
   * and planned before; to run it needs a run, or one that was captured, since operands were last
   * bound to the call.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public AttentionBackward gradients(Tensor dout) {
    return new AttentionBackward(this, dout, null, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here. This
   * call need not run, nor have an out or lse of its own; where there is dropout, its {@linkplain
   * #dropoutSeed seed} must be that of the forward.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param out what that forward wrote there
   * @param lse what that forward wrote there
   */
  public AttentionBackward gradients(Tensor dout, Tensor out, Tensor lse) {
    return new AttentionBackward(
        this,
        dout,
        Objects.requireNonNull(out, "out"),
        Objects.requireNonNull(lse, "lse"),
        new RunMemory());
  }

  private BoundAttention bind() {
    if (bound == null) {
      bound = bind(operands);
    }
    return bound;
  }

  private BoundAttention bind(AttentionOperands operands) {
    AttentionShape shape = operands.shape(attention.options());
    AttentionPlan plan = attention.plan(operands.query.device(), shape);
    return new BoundAttention(this, operands, shape, plan, memory);
  }

  private void run(BoundAttention bound, Tensor out) {
    lastRun.forget(); // one that fails may leave half of an out
    runBound(bound, dropoutSeed, dropoutOffset);
    lastRun.ended(out, bound.captured(), dropoutSeed, dropoutOffset);
  }

  /** Runs this, or its backward pass, while the claim is held. */
  void runBound(BoundAttention bound, long seed, int offset) {
    if (bound.workers() > 1 && fanout == null) {
      fanout = new Fanout(executor);
    }
    bound.run(fanout, seed, offset);
  }

  /** The same mask in every run would be no dropout, and nobody would see it. */
  void requireSeed() {
    if (!seeded && attention.options().dropout() > 0) {
      throw new IllegalStateException(
          "there is dropout but no seed: set dropoutSeed, or give forward one, anew for each step;"
              + " eval() is the same attention without dropout");
    }
  }

  /** Ends a change of what a run is made of. */
  private AttentionCall bound() {
    bound = null;
    bindings++;
    claim.end();
    return this;
  }

  /** Ends a change of what forward and backward pass must have in common. */
  private AttentionCall operandBound() {
    lastRun.forget();
    return bound();
  }

  /** What was bound while this had another value is out of date. */
  long bindings() {
    return bindings;
  }

  long dropoutSeed() {
    return dropoutSeed;
  }

  int dropoutOffset() {
    return dropoutOffset;
  }

  Claim claim() {
    return claim;
  }

  ForwardRun lastRun() {
    return lastRun;
  }

  Attention attention() {
    return attention;
  }

  AttentionOperands operands() {
    return operands;
  }

  /** Null for the device's own. */
  Stream stream() {
    return stream;
  }

  int parallelism() {
    return parallelism;
  }

  /** Attention and what is bound, with shapes. */
  @Override
  public String toString() {
    return "AttentionCall[" + attention + ", " + OperandSet.describe(operands.present()) + ']';
  }
}
