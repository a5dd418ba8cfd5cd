package dev.fovea.serving;

import java.util.Arrays;

/**
 * The keys and values of one sequence in a {@link KvCache}: a list of pages, of which the first may
 * be those of other sequences too. It grows in a {@link KvBatch}.
 *
 * <p>Methods may be called from any thread. What a batch has begun to add belongs to a sequence
 * only when the batch has {@linkplain KvBatch#commit committed} it.
 */
public final class KvSequence implements AutoCloseable {
  /** Of a page that was given back, in a table: no page of any cache. */
  static final int NONE = -1;

  private final KvCache cache;
  private int[] pages = new int[4];
  private int count; // of pages
  private int length;
  private int begin; // tokens before this one are forgotten
  private KvBatch batch; // that it is in; null for none
  private boolean closed;

  KvSequence(KvCache cache) {
    this.cache = cache;
  }

  /** Tokens that it has, those included that are {@linkplain #forget forgotten}. */
  public int length() {
    synchronized (cache.lock()) {
      return length;
    }
  }

  /** The cache that it is in. */
  public KvCache cache() {
    return cache;
  }

  /**
   * A new sequence with the same tokens. Both share all pages; whichever first adds to the last,
   * unless that is full, adds to a copy of it.
   *
   * @throws IllegalStateException if this is closed
   */
  public KvSequence fork() {
    synchronized (cache.lock()) {
      requireOpen();
      KvSequence fork = new KvSequence(cache);
      fork.pages = Arrays.copyOf(pages, Math.max(4, cache.pagesOf(length)));
      fork.count = cache.pagesOf(length);
      fork.length = length;
      fork.begin = begin;
      for (int i = 0; i < fork.count; i++) {
        if (pages[i] != NONE) {
          cache.pool().share(pages[i]);
        }
      }
      cache.opened(fork);
      return fork;
    }
  }

  /**
   * Takes back the last tokens, as after a draft was refused.
   *
   * @param tokens that stay
   * @throws IllegalArgumentException if there are fewer, or more are forgotten
   * @throws IllegalStateException if this is closed, or a batch is adding to it
   */
  public void truncate(int tokens) {
    synchronized (cache.lock()) {
      requireOpen();
      requireSettled();
      if (tokens < begin || tokens > length) {
        throw new IllegalArgumentException(
            "tokens is %d, expected %d to %d".formatted(tokens, begin, length));
      }
      length = tokens;
      releaseFrom(cache.pagesOf(length));
      if (batch != null) {
        batch.changed(this);
      }
    }
  }

  /**
   * Gives back the pages that only hold tokens before {@code token}: no query may see these any
   * more, as with a window to the left. Positions stay as they are.
   *
   * @throws IllegalArgumentException if there is no such token
   * @throws IllegalStateException if this is closed, or a batch is adding to it
   */
  public void forget(int token) {
    synchronized (cache.lock()) {
      requireOpen();
      requireSettled();
      if (token < 0 || token > length) {
        throw new IllegalArgumentException(
            "token is %d, expected 0 to %d".formatted(token, length));
      }
      begin = Math.max(begin, token);
      for (int i = 0; i < begin / cache.pageSize(); i++) {
        if (pages[i] != NONE) {
          cache.pool().release(pages[i]);
          pages[i] = NONE;
        }
      }
      if (batch != null) {
        batch.changed(this);
      }
    }
  }

  /** Gives all pages back, and leaves its batch. */
  @Override
  public void close() {
    synchronized (cache.lock()) {
      if (closed) {
        return;
      }
      if (batch != null) {
        batch.removed(this);
      }
      closed = true;
      releaseFrom(0);
      length = 0;
      cache.closed(this);
    }
  }

  // ---- for the cache and its batches, under its lock

  void requireOpen() {
    cache.requireOpen();
    if (closed) {
      throw new IllegalStateException("the sequence is closed");
    }
  }

  private void requireSettled() {
    if (batch != null && batch.adds()) {
      throw new IllegalStateException("a batch is adding to the sequence: commit or cancel that");
    }
  }

  void join(KvBatch other) {
    requireOpen();
    if (batch != null) {
      throw new IllegalStateException("the sequence is in a batch already");
    }
    batch = other;
  }

  void leave() {
    batch = null;
  }

  int count() {
    return count;
  }

  int page(int i) {
    return pages[i];
  }

  int begin() {
    return begin;
  }

  int committed() {
    return length;
  }

  /** True if more tokens would go to a page that others hold as well. */
  boolean endsInSharedPage() {
    return length % cache.pageSize() != 0 && cache.pool().isShared(pages[count - 1]);
  }

  /** Pages that so many more tokens need behind the last one. */
  int needs(int tokens) {
    return cache.pagesOf(length + tokens) - count;
  }

  /** The last page becomes another one, which has a copy of it. */
  void replaceLast(int page) {
    cache.pool().release(pages[count - 1]);
    pages[count - 1] = page;
  }

  void addPages(int tokens) {
    int wanted = cache.pagesOf(length + tokens);
    if (wanted > pages.length) {
      pages = Arrays.copyOf(pages, Math.max(wanted, 2 * pages.length));
    }
    while (count < wanted) {
      pages[count++] = cache.pool().take();
    }
  }

  void commit(int tokens) {
    length += tokens;
  }

  void cancel() {
    releaseFrom(cache.pagesOf(length));
  }

  /** What was read of a file. */
  void restore(int[] all, int held, int tokens, int first) {
    pages = all;
    count = held;
    length = tokens;
    begin = first;
  }

  private void releaseFrom(int first) {
    for (int i = first; i < count; i++) {
      if (pages[i] != NONE) {
        cache.pool().release(pages[i]);
      }
    }
    count = Math.min(count, first);
  }

  @Override
  public String toString() {
    return "KvSequence[%d tokens%s]".formatted(length(), closed ? ", closed" : "");
  }
}
