package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.CachedRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/**
 * Sequences of a {@link KvCache} that go on together, in slots: what calls of attention and of
 * appending read of them. Tensors stay the same for good, so that calls are bound and planned once
 * and run, or are replayed as a graph, however sequences come, grow and go. An empty slot is a
 * sequence without tokens.
 *
 * {@snippet :
 * batch.put(0, sequence);
 * batch.extend(counts); // new tokens of each slot: has pages for them, or throws
 * // for each layer: append keys and values, then attend
 * batch.commit(); // now they belong to the sequences
 * }
 *
 * <p>For one thread at a time. Between {@link #extend} and {@link #commit} or {@link #cancel} no
 * sequence of it may be truncated.
 */
public final class KvBatch implements AutoCloseable {
  private final KvCache cache;
  private final Scope scope;
  private final KvSequence[] slots;
  private final int[] added; // by slot, not yet committed
  private final int[] shared; // by slot its last page, if that must be copied; else NONE
  private final int[] copies; // by slot the page with that copy
  private final int columns;
  private final Scope memory; // of the host
  private final MemorySegment host; // starts, counts, lengths and table, one behind another
  private final Tensor onHost;
  private final Tensor all;
  private final Tensor starts;
  private final Tensor counts;
  private final Tensor lengths;
  private final Tensor offsets;
  private final Tensor table;
  private final CachedRows rows;
  private boolean adds;
  private boolean closed;

  KvBatch(KvCache cache, int size) {
    this.cache = cache;
    slots = new KvSequence[size];
    added = new int[size];
    shared = new int[size];
    copies = new int[size];
    columns = cache.pagesOf(cache.longest());
    scope = Scope.open(cache.device());
    boolean cpu = cache.device().equals(Device.cpu());
    memory = cpu ? scope : Scope.open();
    boolean made = false;
    try {
      long elements = Math.addExact(Math.multiplyExact((long) size, 4L + columns), 1);
      onHost = memory.allocate(DType.INT32, elements);
      host = onHost.segment();
      all = cpu ? onHost : scope.allocate(DType.INT32, elements);
      starts = all.slice(0, 0, size);
      counts = all.slice(0, size, 2L * size);
      lengths = all.slice(0, 2L * size, 3L * size);
      offsets = all.slice(0, 3L * size, 4L * size + 1);
      table = all.slice(0, 4L * size + 1, elements).reshape(size, columns);
      rows = new CachedRows(cache.rows(), table, cache.longest(), starts, counts, lengths, offsets);
      for (int slot = 0; slot < size; slot++) {
        write(slot);
      }
      upload();
      made = true;
    } finally {
      if (!made) {
        scope.close();
        memory.close();
      }
    }
  }

  /** Slots. */
  public int size() {
    return slots.length;
  }

  /** Tokens of each slot before those that are being added: [slots] {@link DType#INT32}. */
  public Tensor starts() {
    return starts;
  }

  /** Tokens that are being added to each slot: [slots] {@link DType#INT32}. */
  public Tensor counts() {
    return counts;
  }

  /** Tokens of each slot with those that are being added: [slots] {@link DType#INT32}. */
  public Tensor lengths() {
    return lengths;
  }

  /**
   * Where the new tokens of each slot begin, and the last ones end, if they are packed: [slots + 1]
   * {@link DType#INT32}.
   */
  public Tensor offsets() {
    return offsets;
  }

  /** All of these, and the layers of the cache, as layers of a model take them. */
  public CachedRows rows() {
    return rows;
  }

  /** The pages of each slot: [slots, columns] {@link DType#INT32}. */
  public Tensor table() {
    return table;
  }

  /** The sequence in a slot; null for none. */
  public KvSequence get(int slot) {
    synchronized (cache.lock()) {
      return slots[slot];
    }
  }

  /**
   * Puts a sequence into an empty slot.
   *
   * @throws IllegalStateException if the slot is not empty, the sequence is closed or in a batch,
   *     or tokens are being added
   * @throws IllegalArgumentException if the sequence is of another cache
   */
  public void put(int slot, KvSequence sequence) {
    Objects.requireNonNull(sequence, "sequence");
    synchronized (cache.lock()) {
      requireSettled();
      if (sequence.cache() != cache) {
        throw new IllegalArgumentException("the sequence is of another cache");
      }
      if (slots[slot] != null) {
        throw new IllegalStateException("slot " + slot + " has a sequence already");
      }
      sequence.join(this);
      slots[slot] = sequence;
      write(slot);
      upload();
    }
  }

  /**
   * Takes a sequence out of its slot; it stays as it is. Null if the slot is empty.
   *
   * @throws IllegalStateException if tokens are being added
   */
  public KvSequence remove(int slot) {
    synchronized (cache.lock()) {
      requireSettled();
      KvSequence sequence = slots[slot];
      if (sequence != null) {
        removed(sequence);
      }
      return sequence;
    }
  }

  /**
   * Finds pages for new tokens, and makes copies of shared ones that would be written to. Or leaves
   * everything as it was.
   *
   * @param tokens new tokens of each slot, 0 for none; those of empty slots are 0
   * @throws OutOfPagesException if there are too few free pages for all of them
   * @throws IllegalArgumentException if there is another number of slots, an empty one is to grow,
   *     or a sequence would be longer than the cache allows
   * @throws IllegalStateException if tokens are being added already
   */
  public void extend(int... tokens) {
    synchronized (cache.lock()) {
      requireSettled();
      int needed = needs(tokens);
      cache.pool().require(needed + markShared(tokens));
      copyShared();
      for (int slot = 0; slot < slots.length; slot++) {
        if (copies[slot] != KvSequence.NONE) {
          slots[slot].replaceLast(copies[slot]);
        }
        added[slot] = tokens[slot];
        if (slots[slot] != null) {
          int known = slots[slot].count();
          slots[slot].addPages(tokens[slot]);
          writePages(slot, Math.max(0, known - 1), slots[slot].count());
        }
        writeLengths(slot);
      }
      adds = true;
      upload();
    }
  }

  private int needs(int[] tokens) {
    if (tokens.length != slots.length) {
      throw new IllegalArgumentException(
          "tokens has %d numbers, expected %d".formatted(tokens.length, slots.length));
    }
    int needed = 0;
    for (int slot = 0; slot < slots.length; slot++) {
      int most = slots[slot] == null ? 0 : cache.longest() - slots[slot].committed();
      if (tokens[slot] < 0 || tokens[slot] > most) {
        throw new IllegalArgumentException(
            "tokens of slot %d is %d, expected 0 to %d".formatted(slot, tokens[slot], most));
      }
      needed += slots[slot] == null ? 0 : slots[slot].needs(tokens[slot]);
    }
    return needed;
  }

  /**
   * Finds the last pages that would be written to while others hold them. Where all that hold one
   * go on, the last of them keeps it.
   *
   * @return how many must be copied
   */
  private int markShared(int[] tokens) {
    int count = 0;
    for (int slot = 0; slot < slots.length; slot++) {
      KvSequence sequence = slots[slot];
      shared[slot] = KvSequence.NONE;
      if (sequence != null && tokens[slot] > 0 && sequence.endsInSharedPage()) {
        shared[slot] = sequence.page(sequence.count() - 1);
        cache.pool().release(shared[slot]); // for as long as this counts
        count++;
      }
    }
    for (int page : shared) {
      if (page != KvSequence.NONE) {
        cache.pool().share(page);
      }
    }
    return count;
  }

  private void copyShared() {
    Arrays.fill(copies, KvSequence.NONE);
    boolean done = false;
    try {
      for (int slot = 0; slot < slots.length; slot++) {
        if (shared[slot] != KvSequence.NONE) {
          copies[slot] = cache.pool().take();
          cache.copyPage(shared[slot], copies[slot]);
        }
      }
      done = true;
    } finally {
      for (int slot = 0; !done && slot < slots.length; slot++) {
        if (copies[slot] != KvSequence.NONE) {
          cache.pool().release(copies[slot]);
        }
      }
    }
  }

  /**
   * The new tokens belong to the sequences now: to be called when what writes them has been queued.
   *
   * @throws IllegalStateException if no tokens are being added
   */
  public void commit() {
    synchronized (cache.lock()) {
      requireAdding();
      for (int slot = 0; slot < slots.length; slot++) {
        if (slots[slot] != null) {
          slots[slot].commit(added[slot]);
        }
        added[slot] = 0;
      }
      adds = false;
    }
  }

  /**
   * Gives the pages of the new tokens back.
   *
   * @throws IllegalStateException if no tokens are being added
   */
  public void cancel() {
    synchronized (cache.lock()) {
      requireAdding();
      for (int slot = 0; slot < slots.length; slot++) {
        added[slot] = 0;
        if (slots[slot] != null) {
          slots[slot].cancel();
        }
        write(slot);
      }
      adds = false;
      upload();
    }
  }

  /** Takes all sequences out; they stay as they are. Tokens that are being added are given back. */
  @Override
  public void close() {
    synchronized (cache.lock()) {
      if (closed) {
        return;
      }
      if (adds) {
        cancel();
      }
      for (KvSequence sequence : slots) {
        if (sequence != null) {
          sequence.leave();
        }
      }
      closed = true;
      cache.closed(this);
      scope.close();
      memory.close();
    }
  }

  // ---- for sequences, under the cache's lock

  boolean adds() {
    return adds;
  }

  void changed(KvSequence sequence) {
    write(slotOf(sequence));
    upload();
  }

  /** It leaves, even where tokens are being added: others go on. */
  void removed(KvSequence sequence) {
    int slot = slotOf(sequence);
    if (adds) {
      sequence.cancel();
      added[slot] = 0;
    }
    sequence.leave();
    slots[slot] = null;
    write(slot);
    upload();
  }

  private int slotOf(KvSequence sequence) {
    int slot = 0;
    while (slots[slot] != sequence) {
      slot++;
    }
    return slot;
  }

  private void requireSettled() {
    requireOpen();
    if (adds) {
      throw new IllegalStateException("tokens are being added: commit or cancel them");
    }
  }

  private void requireAdding() {
    requireOpen();
    if (!adds) {
      throw new IllegalStateException("no tokens are being added");
    }
  }

  private void requireOpen() {
    cache.requireOpen();
    if (closed) {
      throw new IllegalStateException("the batch is closed");
    }
  }

  private void write(int slot) {
    writeLengths(slot);
    writePages(slot, 0, columns);
  }

  private void writeLengths(int slot) {
    int start = slots[slot] == null ? 0 : slots[slot].committed();
    put(slot, start);
    put(slots.length + slot, added[slot]);
    put(2 * slots.length + slot, start + added[slot]);
  }

  private void writeOffsets() {
    int offset = 0;
    for (int slot = 0; slot < slots.length; slot++) {
      put(3 * slots.length + slot, offset);
      offset += added[slot];
    }
    put(4 * slots.length, offset);
  }

  private void writePages(int slot, int from, int to) {
    int row = 4 * slots.length + 1 + slot * columns;
    int count = slots[slot] == null ? 0 : slots[slot].count();
    for (int i = from; i < to; i++) {
      put(row + i, i < count ? slots[slot].page(i) : KvSequence.NONE);
    }
  }

  private void put(int index, int value) {
    host.setAtIndex(ValueLayout.JAVA_INT, index, value);
  }

  private void upload() {
    writeOffsets();
    if (all != onHost) {
      all.copyFrom(onHost);
    }
  }
}
