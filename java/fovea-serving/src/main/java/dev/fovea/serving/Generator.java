package dev.fovea.serving;

import dev.fovea.nn.Tape;
import dev.fovea.serving.ContinuousBatch.Counts;
import dev.fovea.serving.Generation.State;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Generates the continuations of many prompts at once with a language model and a {@link KvCache}:
 * requests join and leave between any two tokens, prompts that begin alike share pages, and those
 * that find no place wait in a bounded queue, first come, first served.
 *
 * {@snippet :
 * try (KvCache cache = KvCache.on(device).layers(6).keyHeads(2).headDim(32).pages(4000).make();
 *     Generator generator = Generator.of(cache, model::forward).slots(32).start()) {
 *   Generation answer = generator.submit(GenerationRequest.of(prompt, 200).endAt(0));
 *   for (OptionalInt token = answer.next(); token.isPresent(); token = answer.next()) {
 *     print(token.getAsInt());
 *   }
 * }
 * }
 *
 * <p>Thread-safe. It computes in a thread of its own, and while it is open nobody else may use the
 * model or take pages of the cache.
 */
public final class Generator implements AutoCloseable {
  private final KvCache cache;
  private final int room;
  private final ContinuousBatch batch; // of the thread alone
  private final Thread thread;
  private final Object lock = new Object(); // of what follows
  private final Queue<Generation> queue = new ArrayDeque<>();
  private boolean closed;
  private Throwable failure; // what the thread died of; null: it did not
  private int running; // when the last step was over, as what follows
  private int kept;
  private Counts counts = Counts.NONE;
  private long refused;
  private final AtomicLongArray ends = new AtomicLongArray(State.values().length);

  private Generator(Builder builder) {
    cache = builder.cache;
    room = builder.queue;
    Tape tape = builder.tape();
    try {
      batch =
          new ContinuousBatch(
              cache, builder.model, builder.slots, builder.chunk, builder.kept, tape);
    } catch (Throwable t) {
      tape.close();
      throw t;
    }
    thread = Thread.ofPlatform().name("fovea-generator").daemon().unstarted(this::work);
  }

  /**
   * One for a model.
   *
   * @param cache without sequences, of the model's layers; closed after the generator
   * @param model to run; in evaluation, not in training
   */
  public static Builder of(KvCache cache, DecoderModel model) {
    return new Builder(
        Objects.requireNonNull(cache, "cache"), Objects.requireNonNull(model, "model"));
  }

  /**
   * Takes a request.
   *
   * @throws RejectedExecutionException if too many wait already: ask again later
   * @throws IllegalArgumentException if prompt and continuation are longer than a sequence of the
   *     cache may be
   * @throws IllegalStateException if this is closed, or its thread died
   */
  public Generation submit(GenerationRequest request) {
    long most = Math.min(cache.longest(), (long) cache.pages() * cache.pageSize());
    if (request.longest() > most) {
      throw new IllegalArgumentException(
          "%d tokens of the prompt and %d behind it are more than %d, the most of a sequence"
              .formatted(request.length(), request.most(), most));
    }
    synchronized (lock) {
      if (closed) {
        throw new IllegalStateException("the generator is closed", failure);
      }
      if (queue.size() >= room) {
        refused++;
        throw new RejectedExecutionException(
            queue.size() + " requests wait already, as many as may: ask again later");
      }
      Generation generation = new Generation(this, request);
      queue.add(generation);
      lock.notifyAll();
      return generation;
    }
  }

  void cancel(Generation generation) {
    synchronized (lock) {
      generation.end(State.CANCELLED, null);
      queue.remove(generation);
    }
  }

  /** What it has done, and is doing. */
  public GeneratorMetrics metrics() {
    synchronized (lock) {
      return new GeneratorMetrics(
          queue.size(),
          running,
          kept,
          cache.freePages(),
          ends.get(State.END.ordinal()) + ends.get(State.LENGTH.ordinal()),
          ends.get(State.CANCELLED.ordinal()),
          ends.get(State.FAILED.ordinal()),
          refused,
          counts.steps(),
          counts.promptTokens(),
          counts.sharedTokens(),
          counts.generatedTokens());
    }
  }

  /** How requests ended. */
  void count(State how) {
    ends.incrementAndGet(how.ordinal());
  }

  // ---- the thread

  private void work() {
    Throwable why = null;
    try {
      while (await()) {
        batch.step();
      }
    } catch (Throwable t) {
      why = t;
    }
    try {
      batch.close();
    } catch (Throwable t) {
      why = why == null ? t : why;
    }
    synchronized (lock) {
      closed = true;
      failure = why;
      while (!queue.isEmpty()) {
        queue.remove().end(why == null ? State.CANCELLED : State.FAILED, why);
      }
      measure();
    }
  }

  /** Lets requests in, and waits for one if there is nothing to do; false: it is closed. */
  private boolean await() throws InterruptedException {
    synchronized (lock) {
      while (!closed) {
        while (!queue.isEmpty() && batch.join(queue.peek())) {
          queue.remove();
        }
        measure();
        if (batch.running() > 0) {
          return true;
        }
        lock.wait();
      }
      return false;
    }
  }

  private void measure() {
    running = batch.running();
    kept = batch.kept();
    counts = batch.counts();
  }

  /** Cancels all requests, and waits until none is being computed. */
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Says how. Unless set, 16 slots, 256 tokens of prompts in a step, and room for 256 requests. */
  public static final class Builder {
    private final KvCache cache;
    private final DecoderModel model;
    private int slots = 16;
    private int chunk = 256;
    private int queue = 256;
    private int kept = 64;
    private int parallelism = Runtime.getRuntime().availableProcessors();
    private boolean batchInvariant;

    private Builder(KvCache cache, DecoderModel model) {
      this.cache = cache;
      this.model = model;
    }

    /** Sequences that go on at a time, at most. */
    public Builder slots(int count) {
      slots = atLeast("slots", count, 1);
      return this;
    }

    /** Tokens of prompts in a step, at most: fewer let those go on faster that have begun. */
    public Builder chunk(int tokens) {
      chunk = atLeast("chunk", tokens, 1);
      return this;
    }

    /** Requests that may wait; more are refused. */
    public Builder queue(int requests) {
      queue = atLeast("queue", requests, 1);
      return this;
    }

    /**
     * Sequences that are kept when they are done, at most, as long as nobody needs their pages: a
     * prompt that begins like one of these has that part for nothing.
     */
    public Builder kept(int sequences) {
      kept = atLeast("kept", sequences, 0);
      return this;
    }

    /** Threads of an operation on the CPU; unless set, all processors. */
    public Builder parallelism(int threads) {
      parallelism = atLeast("parallelism", threads, 1);
      return this;
    }

    /**
     * Every answer is, bit by bit of its scores, that of its request alone, whatever is generated
     * beside it: as {@link Tape#batchInvariant}. On the CPU.
     */
    public Builder batchInvariant() {
      batchInvariant = true;
      return this;
    }

    private static int atLeast(String name, int value, int least) {
      if (value < least) {
        throw new IllegalArgumentException(
            "%s is %d, expected %d or more".formatted(name, value, least));
      }
      return value;
    }

    private Tape tape() {
      return batchInvariant
          ? Tape.batchInvariant(cache.device(), parallelism)
          : Tape.inference(cache.device(), parallelism);
    }

    /**
     * The generator, at work.
     *
     * @throws IllegalArgumentException if bits shall be independent of the batch on a device where
     *     they cannot
     * @throws IllegalStateException if the cache is closed
     */
    public Generator start() {
      Generator generator = new Generator(this);
      generator.thread.start();
      return generator;
    }
  }
}
