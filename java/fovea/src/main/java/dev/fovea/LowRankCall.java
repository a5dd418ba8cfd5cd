package dev.fovea;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;

/**
 * Operands bound to a {@link LowRankAttention}: built once, run many times, by one thread at a
 * time, as any {@link OperationCall}. A run is three: two projections, and attention.
 */
public final class LowRankCall {
  private final LowRankOperands operands;
  private final Projections projections;
  private final AttentionCall attention;
  private final Map<DType, Projections> all = new LinkedHashMap<>(); // by their type of out
  private final Map<String, Setting> settings = new LinkedHashMap<>(); // of every call
  private final Claim claim = new Claim();

  private Tensor queryLengths;
  private Tensor keyLengths;
  private Tensor out;
  private Tensor lse;
  private Tensor weights;
  private long changes; // of what is bound
  private long separate = -1; // its value where that has been checked

  LowRankCall(Attention attention, LowRankOperands operands) {
    this.operands = operands;
    this.attention =
        attention.call(operands.query(), operands.projectedKey(), operands.projectedValue());
    projections = projections(operands.key().dtype());
    projections.key.out(operands.projectedKey());
    projections.value.out(operands.projectedValue());
  }

  /** Those of keys and of values. */
  record Projections(ProjectionCall key, ProjectionCall value) {
    List<ProjectionCall> both() {
      return List.of(key, value);
    }
  }

  private interface Setting {
    void of(OperationCall<?> call);
  }

  /** With out, or a gradient of it, of that type. */
  Projections projections(DType dtype) {
    return all.computeIfAbsent(
        dtype,
        type -> {
          SequenceProjection projection = SequenceProjection.create().outDType(type);
          Projections made =
              new Projections(
                  projection.call(operands.key(), operands.keyProjection()).lengths(keyLengths),
                  projection
                      .call(operands.value(), operands.valueProjection())
                      .lengths(keyLengths));
          made.both().forEach(call -> settings.values().forEach(it -> it.of(call)));
          return made;
        });
  }

  /** As {@link SequenceCall#queryLengths}. */
  public LowRankCall queryLengths(Tensor lengths) {
    return change(() -> attention.queryLengths(queryLengths = lengths));
  }

  /**
   * Lengths of the sequences of key and value, [B] {@link DType#INT32}; what lies behind is padding
   * and never read, and has gradients of zero. Null for the full length.
   *
   * @throws IllegalArgumentException if they are not so many, or of another type
   */
  public LowRankCall keyLengths(Tensor lengths) {
    if (lengths != null) {
      Check.shape("keyLengths", lengths, "one for each sequence", operands.key().size(0));
      Check.dtype("keyLengths", lengths, DType.INT32);
    }
    return change(
        () -> {
          keyLengths = lengths;
          all.values().forEach(it -> it.both().forEach(call -> call.lengths(lengths)));
        });
  }

  /** Where the result goes: [B, Sq, Hq, Dv]. */
  public LowRankCall out(Tensor out) {
    return change(() -> attention.out(this.out = out));
  }

  /** As {@link SoftmaxCall#lse}; a backward pass needs it. */
  public LowRankCall lse(Tensor lse) {
    return change(() -> attention.lse(this.lse = lse));
  }

  /**
   * Where the attention weights of projected keys go, before dropout: [B, Hq, Sq, R] {@link
   * DType#FLOAT32}. Null if they are not wanted.
   */
  public LowRankCall weights(Tensor weights) {
    return change(() -> attention.weights(this.weights = weights));
  }

  /** What dropout draws from, as of {@link SoftmaxCall#dropoutSeed}. */
  public LowRankCall dropoutSeed(long seed, int offset) {
    attention.dropoutSeed(seed, offset);
    return this;
  }

  /** As {@link OperationCall#stream}. */
  public LowRankCall stream(Stream stream) {
    return each("stream", call -> call.stream(stream));
  }

  /** As {@link OperationCall#executor}. */
  public LowRankCall executor(Executor executor) {
    return each("executor", call -> call.executor(executor));
  }

  /** As {@link OperationCall#parallelism}. */
  public LowRankCall parallelism(int workers) {
    return each("parallelism", call -> call.parallelism(workers));
  }

  private LowRankCall each(String name, Setting setting) {
    return claimed(
        () -> {
          settings.put(name, setting);
          calls().forEach(setting::of);
        });
  }

  private List<OperationCall<?>> calls() {
    List<OperationCall<?>> calls = new ArrayList<>(List.of(attention));
    all.values().forEach(it -> calls.addAll(it.both()));
    return calls;
  }

  private LowRankCall change(Runnable change) {
    return claimed(
        () -> {
          changes++;
          change.run();
        });
  }

  private LowRankCall claimed(Runnable work) {
    claim.begin();
    try {
      work.run();
    } finally {
      claim.end();
    }
    return this;
  }

  /**
   * The plans that the next run uses: of the projections of keys and of values, and of attention.
   *
   * @throws RuntimeException as {@link OperationCall#plan}
   */
  public List<AttentionPlan> plans() {
    return List.of(projections.key.plan(), projections.value.plan(), attention.plan());
  }

  /** Computes, as {@link OperationCall#run}. */
  public void run() {
    claimed(
        () -> {
          project();
          attention.run();
        });
  }

  /**
   * Runs with a new dense tensor [B, Sq, Hq, Dv] in {@code scope}, as {@link
   * OperationCall#forward}.
   */
  public Tensor forward(Scope scope) {
    claim.begin();
    try {
      project();
      return attention.forward(scope);
    } finally {
      claim.end();
    }
  }

  private void project() {
    if (separate != changes) {
      inputs()
          .written("projectedKey", operands.projectedKey())
          .written("projectedValue", operands.projectedValue())
          .written("out", out)
          .written("lse", lse)
          .written("weights", weights)
          .check();
      separate = changes;
    }
    projections.key.run();
    projections.value.run();
  }

  /** What a run reads of the caller's. */
  private Separation inputs() {
    return new Separation()
        .read("query", operands.query())
        .read("key", operands.key())
        .read("value", operands.value())
        .read("keyProjection", operands.keyProjection())
        .read("valueProjection", operands.valueProjection())
        .read("queryLengths", queryLengths)
        .read("keyLengths", keyLengths);
  }

  /** What was checked while this had another value is out of date. */
  long changes() {
    return changes;
  }

  /** What its backward pass reads. */
  Separation saved() {
    return inputs()
        .read("projectedKey", operands.projectedKey())
        .read("projectedValue", operands.projectedValue())
        .read("out", out)
        .read("lse", lse);
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is: of
   * its last run, whose projected keys and values it reads.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public LowRankBackward gradients(Tensor dout) {
    return new LowRankBackward(this, attention.gradients(dout), dout);
  }

  LowRankOperands operands() {
    return operands;
  }

  Claim claim() {
    return claim;
  }

  /** What is bound, with shapes. */
  @Override
  public String toString() {
    return "LowRankCall[%s, %s]".formatted(operands, attention);
  }
}
