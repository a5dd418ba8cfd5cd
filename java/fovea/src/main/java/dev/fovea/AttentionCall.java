package dev.fovea;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;

/**
 * Operands bound to an {@link Attention}: built once, run many times. The contents of the operands
 * may change between runs. The first run after a change of bindings checks them and plans; every
 * later one goes straight to the kernel and allocates nothing on the Java heap, or for each thread
 * beyond the caller the node of an executor's queue.
 *
 * <p>Not thread-safe: one call belongs to one thread at a time, and using it from two at once
 * throws {@link IllegalStateException}. Any number of calls may run at once that share attention,
 * plan, executor and tensors; those that write the same memory race with each other.
 *
 * <p>The memory of a run (workspace, and scratch for each worker) belongs to this object and goes
 * with it.
 */
public final class AttentionCall {
  private static final VarHandle BUSY;

  static {
    try {
      BUSY = MethodHandles.lookup().findVarHandle(AttentionCall.class, "busy", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Attention attention;
  private final AttentionOperands operands;
  private final RunMemory memory;

  private Stream stream; // null: the device's own
  private Executor executor = ForkJoinPool.commonPool();
  private int parallelism = Runtime.getRuntime().availableProcessors();
  private long dropoutSeed;
  private int dropoutOffset;

  @SuppressWarnings("unused") // through BUSY
  private boolean busy;

  private BoundForward bound; // null: bindings have changed since the last run
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
    change();
    operands.bias = bias;
    return this;
  }

  /**
   * ALiBi (Press et al., 2021): adds slope * (j - position), or -slope * |j - position| without a
   * causal mask. [Hq] or [B, Hq], {@link DType#FLOAT32}. Null for none.
   */
  public AttentionCall alibiSlopes(Tensor slopes) {
    change();
    operands.alibiSlopes = slopes;
    return this;
  }

  /**
   * A score for each head that joins the softmax sum without a value: [Hq], {@link DType#FLOAT32}.
   */
  public AttentionCall sinks(Tensor sinks) {
    change();
    operands.sinks = sinks;
    return this;
  }

  /**
   * Lengths of the query sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length.
   */
  public AttentionCall queryLengths(Tensor lengths) {
    change();
    operands.queryLengths = lengths;
    return this;
  }

  /**
   * Lengths of the key sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length. {@link Masks#keyLengths} makes them of a padding mask.
   */
  public AttentionCall keyLengths(Tensor lengths) {
    change();
    operands.keyLengths = lengths;
    return this;
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
    change();
    operands.cuSeqlensQ = Objects.requireNonNull(query, "query");
    operands.cuSeqlensK = Objects.requireNonNull(key, "key");
    operands.longestQuery = notNegative("longestQuery", longestQuery);
    operands.longestKey = notNegative("longestKey", longestKey);
    return this;
  }

  private static long notNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " is " + value + ", expected zero or more");
    }
    return value;
  }

  /**
   * What dropout draws from: seed and offset together name the random numbers of a run
   * (Philox4x32-10, Salmon et al., 2011). Give every step of training its own pair. Both are 0 at
   * first.
   */
  public AttentionCall dropoutSeed(long seed, int offset) {
    requireIdle();
    dropoutSeed = seed;
    dropoutOffset = offset;
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
    change();
    operands.out = out;
    return this;
  }

  /**
   * Where the logarithms of the softmax sums go: [B, Hq, Sq] {@link DType#FLOAT32}; packed: [Hq,
   * Tq]. Null if they are not wanted; a {@linkplain #backward backward pass} needs them.
   */
  public AttentionCall lse(Tensor lse) {
    change();
    operands.lse = lse;
    return this;
  }

  /**
   * Where the attention weights go, before dropout: [B, Hq, Sq, Sk] {@link DType#FLOAT32}; packed:
   * [Hq, Tq, longest Sk]. Null if they are not wanted.
   */
  public AttentionCall weights(Tensor weights) {
    change();
    operands.weights = weights;
    return this;
  }

  /**
   * The stream that runs are queued in; null for the {@linkplain Device#stream own} one of the
   * device, as it is unless set. A run in another than the run before waits for that, because they
   * share a workspace.
   */
  public AttentionCall stream(Stream stream) {
    change();
    this.stream = stream;
    return this;
  }

  /**
   * Where helpers run; the common pool unless set. A run never depends on it: the calling thread
   * works itself, and does everything if the executor is saturated, shut down or rejects.
   */
  public AttentionCall executor(Executor executor) {
    requireIdle();
    this.executor = Objects.requireNonNull(executor, "executor");
    fanout = null;
    return this;
  }

  /**
   * How many threads a run may use, the caller included; 1 keeps it on the caller. The number of
   * processors unless set. The result has the same bits for any number. Short runs and those on
   * memory confined to one thread use the caller alone.
   */
  public AttentionCall parallelism(int workers) {
    if (workers < 1) {
      throw new IllegalArgumentException("workers is " + workers + ", expected at least 1");
    }
    change();
    parallelism = workers;
    return this;
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
    begin();
    try {
      return bind().plan();
    } finally {
      end();
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
   * @throws IllegalStateException if out is not set, a scope or arena is closed, or this call is
   *     already running
   * @throws WrongThreadException if an operand is confined to another thread
   * @throws FoveaException if the library or the device fails
   */
  public void run() {
    begin();
    try {
      runBound(bind());
    } finally {
      end();
    }
  }

  /**
   * Binds a new dense out in {@code scope}, runs, and returns it.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor forward(Scope scope) {
    Tensor query = operands.query;
    Tensor value = operands.value;
    if (query.rank() == 0 || value.rank() == 0) {
      throw new IllegalArgumentException("query is " + query + ", value " + value);
    }
    long[] shape = query.shape();
    shape[shape.length - 1] = value.size(value.rank() - 1);
    DType wanted = attention.options().outDType();
    out(scope.allocate(wanted != null ? wanted : query.dtype(), shape));
    run();
    return operands.out;
  }

  /**
   * The backward pass of this call: of what is bound here when it runs, out and lse among it, so
   * that one object serves many steps of training.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public AttentionBackward backward(Tensor dout) {
    return new AttentionBackward(this, dout, new RunMemory());
  }

  private BoundForward bind() {
    if (bound == null) {
      AttentionShape shape = operands.shape(attention.options());
      AttentionPlan plan = attention.plan(operands.query.device(), shape);
      bound = new BoundForward(this, shape, plan, memory);
    }
    return bound;
  }

  /** Runs this, or its backward pass, between {@link #begin} and {@link #end}. */
  void runBound(BoundAttention bound) {
    if (bound.workers() > 1 && fanout == null) {
      fanout = new Fanout(executor);
    }
    bound.run(fanout, dropoutSeed, dropoutOffset);
  }

  private void change() {
    requireIdle();
    bound = null;
    bindings++;
  }

  /** What was bound while this had another value is out of date. */
  long bindings() {
    return bindings;
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

  void requireIdle() {
    if ((boolean) BUSY.getAcquire(this)) {
      throw busyElsewhere();
    }
  }

  void begin() {
    if (!BUSY.compareAndSet(this, false, true)) {
      throw busyElsewhere();
    }
  }

  void end() {
    BUSY.setRelease(this, false);
  }

  private static IllegalStateException busyElsewhere() {
    return new IllegalStateException(
        "this AttentionCall is running, or its backward pass: make one for each thread; they may"
            + " share attention and tensors");
  }
}
