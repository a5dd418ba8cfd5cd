package dev.fovea.serving;

import java.time.Duration;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;

/** What a {@link Generator} makes of a request, token by token. Thread-safe. */
public final class Generation {

  /** Where it is. */
  public enum State {
    /** It waits for its turn. */
    WAITING,
    /** Tokens come. */
    RUNNING,
    /** As many tokens have come as may. */
    LENGTH,
    /** A token came that ends it. */
    END,
    /** Somebody had enough of it, or the generator was closed. */
    CANCELLED,
    /** The model threw. */
    FAILED;

    /** Whether nothing more comes. */
    public boolean isDone() {
      return this != WAITING && this != RUNNING;
    }
  }

  private final GenerationRequest request;
  private final Generator generator;
  private final long asked = System.nanoTime();
  private final int[] tokens;
  private int count; // of tokens
  private int taken; // of these, by next()
  private State state = State.WAITING;
  private Throwable failure;
  private long begun;
  private long first;
  private long done;

  Generation(Generator generator, GenerationRequest request) {
    this.generator = generator;
    this.request = request;
    tokens = new int[request.most()];
  }

  /** What was asked for. */
  public GenerationRequest request() {
    return request;
  }

  /** Where it is now. */
  public synchronized State state() {
    return state;
  }

  /** The tokens behind the prompt that have come by now. */
  public synchronized int[] tokens() {
    return Arrays.copyOf(tokens, count);
  }

  /**
   * Waits for the next token that no call of this has returned yet.
   *
   * @return empty if no more come, whatever the reason: {@link #state} has it
   */
  public synchronized OptionalInt next() throws InterruptedException {
    while (taken == count && !state.isDone()) {
      wait();
    }
    return taken < count ? OptionalInt.of(tokens[taken++]) : OptionalInt.empty();
  }

  /**
   * Waits until no more tokens come.
   *
   * @return all tokens behind the prompt
   * @throws CancellationException if it was cancelled
   * @throws ExecutionException if the model threw
   */
  public synchronized int[] await() throws InterruptedException, ExecutionException {
    while (!state.isDone()) {
      wait();
    }
    if (state == State.CANCELLED) {
      throw new CancellationException("cancelled after " + count + " tokens");
    }
    if (state == State.FAILED) {
      throw new ExecutionException(failure);
    }
    return tokens();
  }

  /** Ends it: no tokens come any more, or one that is being computed already. */
  public void cancel() {
    generator.cancel(this);
  }

  /** From the request to its turn; until now, if it waits. */
  public synchronized Duration waited() {
    return Duration.ofNanos(until(begun) - asked);
  }

  /** From the request to the first token; until now, if there is none and it is not done. */
  public synchronized Duration timeToFirstToken() {
    return Duration.ofNanos(until(first == 0 ? done : first) - asked);
  }

  /** From the request to the last token; until now, if it is not done. */
  public synchronized Duration time() {
    return Duration.ofNanos(until(done) - asked);
  }

  private static long until(long time) {
    return time == 0 ? System.nanoTime() : time;
  }

  // ---- for the generator

  synchronized void begin() {
    if (!state.isDone()) {
      state = State.RUNNING;
      begun = System.nanoTime();
    }
  }

  /** Adds a token, unless it is done: then nobody wants it. */
  synchronized void add(int token) {
    if (state.isDone()) {
      return;
    }
    tokens[count++] = token;
    first = first == 0 ? System.nanoTime() : first;
    if (request.endsWith(token)) {
      end(State.END, null);
    } else if (count == tokens.length) {
      end(State.LENGTH, null);
    }
    notifyAll();
  }

  /** No more comes, unless it was done already. */
  synchronized void end(State how, Throwable why) {
    if (state.isDone()) {
      return;
    }
    state = how;
    failure = why;
    done = System.nanoTime();
    generator.count(how);
    notifyAll();
  }
}
