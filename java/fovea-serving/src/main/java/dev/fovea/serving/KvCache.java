package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.CachedRows;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Keys and values of the layers of a model, for many sequences at once, in pages of a few tokens
 * (Kwon et al., PagedAttention, arXiv 2309.06180). A page belongs to one sequence, or to several
 * that begin alike: {@link KvSequence#fork} shares them, and what is added to one of these goes to
 * a copy.
 *
 * {@snippet :
 * try (KvCache cache = KvCache.on(Device.cpu()).layers(4).keyHeads(8).headDim(64).pages(1000).make();
 *     KvBatch batch = cache.batch(16)) {
 *   batch.put(0, cache.open());
 *   batch.extend(tokens);
 *   attention.call(query, cache.key(layer), cache.value(layer))
 *       .pages(batch.table(), cache.longest())
 *       .keyLengths(batch.lengths());
 * }
 * }
 *
 * <p>All layers have the same pages at the same places. A page of one head lies without gaps, heads
 * of a page one behind another.
 *
 * <p>Thread-safe but for {@link #close}: sequences and batches of it may be used by different
 * threads, each batch by one at a time.
 */
public final class KvCache implements AutoCloseable {

  /** What quantized elements are multiplied by. */
  public enum Scales {
    /** Nothing: elements are values. */
    NONE,
    /** One for each token and key head. */
    TOKEN,
    /** One for each page and key head. */
    PAGE
  }

  private final Builder shape;
  private final Scope scope;
  private final PagePool pool;
  private final Tensor[] keys;
  private final Tensor[] values;
  private final Tensor[] keyScales;
  private final Tensor[] valueScales;
  private final Set<KvSequence> sequences = new HashSet<>();
  private final Set<KvBatch> batches = new HashSet<>();
  private boolean closed;

  private KvCache(Builder shape) {
    this.shape = shape;
    pool = new PagePool(shape.pages);
    keys = new Tensor[shape.layers];
    values = new Tensor[shape.layers];
    keyScales = new Tensor[shape.layers];
    valueScales = new Tensor[shape.layers];
    scope = Scope.open(shape.device);
    boolean made = false;
    try {
      for (int layer = 0; layer < shape.layers; layer++) {
        keys[layer] = pages(shape.headDim);
        values[layer] =
            shape.latent
                ? keys[layer].slice(3, 0, elements(shape.valueHeadDim))
                : pages(shape.valueHeadDim);
        keyScales[layer] = scales();
        valueScales[layer] = shape.latent ? keyScales[layer] : scales();
      }
      made = true;
    } finally {
      if (!made) {
        scope.close();
      }
    }
  }

  private int elements(int width) {
    return width / shape.type.packedValues();
  }

  /** Heads before rows: what a head reads lies without gaps. */
  private Tensor pages(int width) {
    return scope
        .allocate(shape.type, shape.pages, shape.keyHeads, shape.pageSize, elements(width))
        .permute(0, 2, 1, 3);
  }

  private Tensor scales() {
    return switch (shape.scales) {
      case NONE -> null;
      case TOKEN -> scope.allocate(DType.FLOAT32, shape.pages, shape.pageSize, shape.keyHeads);
      case PAGE -> scope.allocate(DType.FLOAT32, shape.pages, 1, shape.keyHeads);
    };
  }

  /** One in the memory of {@code device}. */
  public static Builder on(Device device) {
    return new Builder(Objects.requireNonNull(device, "device"));
  }

  /** The device that has its memory. */
  public Device device() {
    return shape.device;
  }

  /** Layers. */
  public int layers() {
    return shape.layers;
  }

  /** Tokens of a page. */
  public int pageSize() {
    return shape.pageSize;
  }

  /** The most tokens that a sequence may have. */
  public int longest() {
    return shape.longest;
  }

  /** Keys of a layer: [pages, page size, key heads, head dim] of its type. */
  public Tensor key(int layer) {
    return keys[layer];
  }

  /** Values of a layer, likewise; the first elements of keys where these are latent. */
  public Tensor value(int layer) {
    return values[layer];
  }

  /** Scales of keys: [pages, page size or 1, key heads] {@link DType#FLOAT32}; null for none. */
  public Tensor keyScales(int layer) {
    return keyScales[layer];
  }

  /** Scales of values, likewise. */
  public Tensor valueScales(int layer) {
    return valueScales[layer];
  }

  /** The same of all layers. */
  List<CachedRows.Layer> rows() {
    return IntStream.range(0, shape.layers)
        .mapToObj(i -> new CachedRows.Layer(keys[i], values[i], keyScales[i], valueScales[i]))
        .toList();
  }

  /** Pages that no sequence has. */
  public int freePages() {
    synchronized (lock()) {
      return pool.free();
    }
  }

  /** Pages that it has. */
  public int pages() {
    return shape.pages;
  }

  /** Sequences that are open. */
  public int sequences() {
    synchronized (lock()) {
      return sequences.size();
    }
  }

  /**
   * A new sequence without tokens.
   *
   * @throws IllegalStateException if this is closed
   */
  public KvSequence open() {
    synchronized (lock()) {
      requireOpen();
      KvSequence sequence = new KvSequence(this);
      sequences.add(sequence);
      return sequence;
    }
  }

  /**
   * A batch of so many empty slots.
   *
   * @throws IllegalStateException if this is closed
   * @throws IllegalArgumentException if there are no slots
   */
  public KvBatch batch(int slots) {
    if (slots < 1) {
      throw new IllegalArgumentException("slots is " + slots + ", expected 1 or more");
    }
    synchronized (lock()) {
      requireOpen();
      KvBatch batch = new KvBatch(this, slots);
      batches.add(batch);
      return batch;
    }
  }

  /**
   * Writes sequences and their pages to a file, in the safetensors format, or leaves what is there:
   * whatever happens meanwhile, the file is the old or the new one, whole. Their tokens must have
   * been computed: wait for the stream first.
   *
   * @throws IOException if it cannot be written
   * @throws IllegalArgumentException if a sequence is of another cache, or named twice
   * @throws IllegalStateException if one is closed
   */
  public void save(Path file, List<KvSequence> all) throws IOException {
    synchronized (lock()) {
      requireOpen();
      KvFile.write(file, this, List.copyOf(all));
    }
  }

  /**
   * Sequences of a file, in the order in which they were saved: with the same tokens, sharing what
   * they shared.
   *
   * @throws IOException if it cannot be read, is damaged or cut short, or is of a cache of another
   *     shape or type
   * @throws OutOfPagesException if there are too few free pages
   */
  public List<KvSequence> restore(Path file) throws IOException {
    synchronized (lock()) {
      requireOpen();
      return KvFile.read(file, this);
    }
  }

  /** Closes all sequences and batches, and gives the memory back. No run may be reading it. */
  @Override
  public void close() {
    synchronized (lock()) {
      if (!closed) {
        List.copyOf(batches).forEach(KvBatch::close);
        List.copyOf(sequences).forEach(KvSequence::close);
        closed = true;
        scope.close();
      }
    }
  }

  // ---- for sequences and batches

  Object lock() {
    return pool;
  }

  PagePool pool() {
    return pool;
  }

  Builder shape() {
    return shape;
  }

  /** Pages that so many tokens of a sequence take. */
  int pagesOf(int tokens) {
    return Math.ceilDiv(tokens, shape.pageSize);
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the cache is closed");
    }
  }

  void opened(KvSequence sequence) {
    sequences.add(sequence);
  }

  void closed(KvSequence sequence) {
    sequences.remove(sequence);
  }

  void closed(KvBatch batch) {
    batches.remove(batch);
  }

  /** The tensors that have memory of their own, by layer. */
  List<Tensor> tensors(int layer) {
    return Stream.of(
            keys[layer],
            shape.latent ? null : values[layer],
            keyScales[layer],
            shape.latent ? null : valueScales[layer])
        .filter(Objects::nonNull)
        .toList();
  }

  void copyPage(int from, int to) {
    for (int layer = 0; layer < shape.layers; layer++) {
      for (Tensor tensor : tensors(layer)) {
        // As they lie in memory: one block.
        Tensor whole = tensor.rank() == 4 ? tensor.permute(0, 2, 1, 3) : tensor;
        whole.slice(0, to, to + 1L).copyFrom(whole.slice(0, from, from + 1L));
      }
    }
  }

  /** Says what a cache is like. Unless set, one layer with one head, of float32, pages of 16. */
  public static final class Builder {
    final Device device;
    int layers = 1;
    int keyHeads = 1;
    int headDim;
    int valueHeadDim;
    boolean latent;
    DType type = DType.FLOAT32;
    Scales scales = Scales.NONE;
    int pageSize = 16;
    int pages;
    int longest;

    private Builder(Device device) {
      this.device = device;
    }

    private Builder(Builder other) {
      device = other.device;
      layers = other.layers;
      keyHeads = other.keyHeads;
      headDim = other.headDim;
      valueHeadDim = other.valueHeadDim;
      latent = other.latent;
      type = other.type;
      scales = other.scales;
      pageSize = other.pageSize;
      pages = other.pages;
      longest = other.longest;
    }

    /** Layers, which all have the same shape. */
    public Builder layers(int count) {
      layers = positive("layers", count);
      return this;
    }

    /** Key heads of a layer. */
    public Builder keyHeads(int count) {
      keyHeads = positive("keyHeads", count);
      return this;
    }

    /** Elements of a key, and unless set otherwise of a value. */
    public Builder headDim(int size) {
      headDim = positive("headDim", size);
      return this;
    }

    /** Elements of a value. */
    public Builder valueHeadDim(int size) {
      valueHeadDim = positive("valueHeadDim", size);
      return this;
    }

    /**
     * A value is the first so many elements of its key, and is not kept beside it: multi-head
     * latent attention in its absorbed form (DeepSeek-V2, arXiv 2405.04434).
     */
    public Builder latent(int size) {
      latent = true;
      return valueHeadDim(size);
    }

    /** Type of elements: float32, float16, bfloat16, int8, int4x2 or float8. */
    public Builder type(DType type) {
      if (type == DType.INT32 || type == DType.BOOL) {
        throw new IllegalArgumentException("type is " + type + ", expected one of values");
      }
      this.type = type;
      return this;
    }

    /** What elements are multiplied by. */
    public Builder scales(Scales of) {
      scales = Objects.requireNonNull(of, "scales");
      return this;
    }

    /** Tokens of a page: a power of two. */
    public Builder pageSize(int tokens) {
      if (Integer.bitCount(positive("pageSize", tokens)) != 1) {
        throw new IllegalArgumentException("pageSize is " + tokens + ", expected a power of two");
      }
      pageSize = tokens;
      return this;
    }

    /** Pages of all sequences together. */
    public Builder pages(int count) {
      pages = positive("pages", count);
      return this;
    }

    /** The most tokens of a sequence; unless set, those of all pages. Plans depend on it. */
    public Builder longest(int tokens) {
      longest = positive("longest", tokens);
      return this;
    }

    private static int positive(String name, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(name + " is " + value + ", expected 1 or more");
      }
      return value;
    }

    /**
     * The cache, with memory for all its pages.
     *
     * @throws IllegalStateException if headDim or pages is not set
     * @throws IllegalArgumentException if sizes do not fit together
     * @throws OutOfMemoryError if there is not enough memory
     */
    public KvCache make() {
      if (headDim == 0 || pages == 0) {
        throw new IllegalStateException((headDim == 0 ? "headDim" : "pages") + " is not set");
      }
      Builder whole = new Builder(this);
      whole.valueHeadDim = valueHeadDim == 0 ? headDim : valueHeadDim;
      long tokens = Math.multiplyExact((long) pages, pageSize);
      whole.longest = (int) Math.min(longest == 0 ? tokens : longest, Integer.MAX_VALUE);
      if (latent && whole.valueHeadDim > headDim) {
        throw new IllegalArgumentException(
            "latent values have %d elements, and keys %d".formatted(valueHeadDim, headDim));
      }
      if (type == DType.INT4X2 && (headDim % 2 != 0 || whole.valueHeadDim % 2 != 0)) {
        throw new IllegalArgumentException(
            "headDim is %d and valueHeadDim %d, expected even numbers for %s"
                .formatted(headDim, whole.valueHeadDim, type));
      }
      return new KvCache(whole);
    }

    @Override
    public String toString() {
      return "layers %d, key heads %d, head dim %d, value head dim %d%s, %s, scales %s, pages of %d"
          .formatted(
              layers,
              keyHeads,
              headDim,
              valueHeadDim,
              latent ? " latent" : "",
              type,
              scales,
              pageSize);
    }
  }
}
