package dev.fovea.encoder;

import dev.fovea.Device;
import dev.fovea.ffi.OpenBlas;
import dev.fovea.nn.MultiHeadAttention;
import dev.fovea.nn.Parameters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * A sentence encoder on the CPU: BERT (Devlin et al., arXiv 1810.04805) with the mean of the rows
 * of a sentence or that of its first token, as Sentence-BERT has it (Reimers and Gurevych, arXiv
 * 1908.10084). Made of {@link dev.fovea.nn}'s layers, in float32.
 *
 * <p>A batch is cut into blocks of whole sentences, which lie end to end: nothing is padded. Each
 * block goes through all layers on one thread, so that threads meet only at the end. Results do not
 * depend on the number of threads or on the other sentences beyond float rounding. Thread-safe.
 */
public final class Encoder implements AutoCloseable {
  /**
   * Tokens of a block. The matrix product packs the weights once for each block, so small blocks
   * are slow: 256 tokens take 15 % longer than 768, where the gain ends.
   */
  private static final int BLOCK_TOKENS = 768;

  private final Bert model;
  private final Parameters parameters;
  private final Pooling pooling;
  private final Tokenizer tokenizer;
  private final int maxTokens;
  private final ConcurrentLinkedQueue<EncoderPass> idle = new ConcurrentLinkedQueue<>();
  // Shared by those who embed; whoever observes the model or closes it is alone.
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private boolean closed;

  // Kept: threads started for each batch often share a core for their first tens of milliseconds.
  private final ExecutorService workers =
      Executors.newCachedThreadPool(
          Thread.ofPlatform().daemon().name("fovea-encoder-", 0).factory());

  private Encoder(
      Bert model, Parameters parameters, Pooling pooling, Tokenizer tokenizer, int maxTokens) {
    this.model = model;
    this.parameters = parameters;
    this.pooling = pooling;
    this.tokenizer = tokenizer;
    this.maxTokens = maxTokens;
  }

  // ---- loading

  /**
   * Loads a model of type bert, such as all-MiniLM-L6-v2 or bge-small-en-v1.5.
   *
   * <p>Of a Hugging Face folder config.json, tokenizer.json and model.safetensors (float32, float16
   * or bfloat16) are read, and if they are there, sentence-transformers' modules.json, the
   * pooling's config.json and sentence_bert_config.json. Without these, embeddings are means of
   * length 1.
   *
   * <p>An .onnx file needs a tokenizer.json beside it, and is all-MiniLM-L6-v2 in float32 as
   * sentence-transformers exports it, or what a config.json beside it says. Embeddings are means of
   * length 1.
   *
   * @param path the folder or the .onnx file
   * @throws IOException if a file is missing or damaged, or the model is of another architecture,
   *     has other sizes than its config, or another pooling than of means or of first tokens: with
   *     the reason, in one sentence
   */
  public static Encoder load(Path path) throws IOException {
    return EncoderFiles.load(path);
  }

  /**
   * Loads all-MiniLM-L6-v2 from the contents of its files.
   *
   * @param onnx the model in float32, as sentence-transformers exports it; is not to change while
   *     this runs
   * @param tokenizer its tokenizer.json
   * @throws IOException as {@link #load(Path)}
   */
  public static Encoder load(byte[] onnx, byte[] tokenizer) throws IOException {
    return EncoderFiles.onnx(onnx, tokenizer, BertConfig.MINILM);
  }

  /** Opens a tokenizer. */
  interface TokenizerSource {
    Tokenizer open() throws IOException;
  }

  static Encoder of(
      BertConfig config, Pooling pooling, Weights weights, int maxTokens, TokenizerSource tokenizer)
      throws IOException {
    Bert model = new Bert(config);
    Parameters parameters = Parameters.forInference(model, Device.cpu());
    try {
      model.read(weights, parameters);
      return new Encoder(model, parameters, pooling, tokenizer.open(), maxTokens);
    } catch (Throwable t) {
      parameters.close();
      throw t;
    }
  }

  // ---- sizes

  /** Values of an embedding. */
  public int dimensions() {
    return model.config().width();
  }

  /** The longest sentence, in tokens with the special ones; longer text is cut. */
  public int maxTokens() {
    return maxTokens;
  }

  /** Layers, each with {@link #heads} heads. */
  public int layers() {
    return model.config().layers();
  }

  /** Attention heads of a layer. */
  public int heads() {
    return model.config().heads();
  }

  // ---- texts

  /**
   * The tokens of a text; of empty text only the special ones.
   *
   * @throws IllegalStateException if the encoder is closed
   */
  public Tokens tokenize(String text) {
    return shared(() -> tokenizer.tokenize(text));
  }

  /**
   * Embeds texts, on all processors. What is longer than {@link #maxTokens} is cut.
   *
   * @return for each text {@link #dimensions} values
   * @throws IllegalStateException if the encoder is closed
   */
  public float[][] embed(List<String> texts) {
    return embed(texts, Runtime.getRuntime().availableProcessors());
  }

  /**
   * Embeds texts on some threads.
   *
   * @param threads as {@link #embedTokens}
   * @return for each text {@link #dimensions} values
   * @throws IllegalArgumentException if {@code threads} is less than 1
   * @throws IllegalStateException if the encoder is closed
   */
  public float[][] embed(List<String> texts, int threads) {
    return embedTokens(texts.stream().map(it -> tokenize(it).ids()).toList(), threads);
  }

  /**
   * Embeds tokenized texts.
   *
   * @param sentences ids of tokens, with the special ones at both ends, 1 to {@link #maxTokens}
   *     each
   * @param threads how many threads work, the caller among them; of more than 64 the rest stays
   *     idle
   * @return for each sentence {@link #dimensions} values
   * @throws IllegalArgumentException if {@code threads} is less than 1, or a sentence is empty, too
   *     long, or has an id that the model does not have
   * @throws IllegalStateException if the encoder is closed
   */
  public float[][] embedTokens(List<int[]> sentences, int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is " + threads + ", expected 1 or more");
    }
    sentences.forEach(this::check);
    return shared(() -> embedAll(sentences, Math.min(threads, OpenBlas.MAX_THREADS)));
  }

  private float[][] embedAll(List<int[]> sentences, int threads) {
    if (sentences.isEmpty()) {
      return new float[0][];
    }
    List<Integer> cuts = cuts(sentences, threads);
    float[][] results = new float[sentences.size()][];
    AtomicInteger next = new AtomicInteger();
    Runnable work =
        () -> {
          EncoderPass pass = acquire();
          try {
            for (int b = next.getAndIncrement(); b < cuts.size() - 1; b = next.getAndIncrement()) {
              List<int[]> block = sentences.subList(cuts.get(b), cuts.get(b + 1));
              float[][] embedded = pass.embed(block);
              System.arraycopy(embedded, 0, results, cuts.get(b), embedded.length);
            }
          } finally {
            idle.add(pass);
          }
        };
    List<Future<?>> others = new ArrayList<>();
    for (int i = 1; i < Math.min(threads, cuts.size() - 1); i++) {
      others.add(workers.submit(work));
    }
    List<Throwable> failures;
    try {
      work.run();
    } finally { // nobody works on when this returns
      failures = others.stream().map(Encoder::await).filter(Objects::nonNull).toList();
    }
    if (!failures.isEmpty()) {
      throw new IllegalStateException(
          "a worker failed: " + failures.getFirst().getMessage(), failures.getFirst());
    }
    return results;
  }

  /**
   * The attention weights of a layer over one sentence. Waits until nobody embeds.
   *
   * @param sentence ids of its tokens, as in {@link #embedTokens}
   * @param layer from 0 to {@link #layers} - 1
   * @return [{@link #heads}, tokens, tokens] in row-major order, where each row sums to 1
   * @throws IllegalArgumentException if there is no such layer, or as {@link #embedTokens}
   * @throws IllegalStateException if the encoder is closed
   */
  public float[] attentionWeights(int[] sentence, int layer) {
    check(sentence);
    if (layer < 0 || layer >= layers()) {
      throw new IllegalArgumentException("layer is " + layer + ", expected 0 to " + (layers() - 1));
    }
    MultiHeadAttention attention = model.layers().get(layer).attention();
    return locked(
        lock.writeLock(),
        () -> {
          float[][] weights = new float[1][];
          EncoderPass pass = acquire();
          try {
            attention.observe(it -> weights[0] = it.value().toFloatArray());
            pass.embed(List.of(sentence));
          } finally {
            attention.observe(null);
            idle.add(pass);
          }
          return weights[0];
        });
  }

  private void check(int[] sentence) {
    if (sentence.length == 0 || sentence.length > maxTokens) {
      throw new IllegalArgumentException(
          "a sentence has " + sentence.length + " tokens, expected 1 to " + maxTokens);
    }
    int vocabulary = model.config().vocabulary();
    for (int token : sentence) {
      if (token < 0 || token >= vocabulary) {
        throw new IllegalArgumentException(
            "token " + token + " is not in the vocabulary of " + vocabulary);
      }
    }
  }

  // ---- blocks

  /**
   * Where to cut the batch into blocks: at sentence ends, all blocks about as long, their number a
   * multiple of the threads, so that these finish together.
   */
  private List<Integer> cuts(List<int[]> sentences, int threads) {
    long total = sentences.stream().mapToLong(s -> s.length).sum();
    long rounds = Math.ceilDiv(total, (long) threads * BLOCK_TOKENS);
    long blocks = Math.max(1, rounds * threads);
    List<Integer> cuts = new ArrayList<>(List.of(0));
    long tokens = 0;
    long inBlock = 0;
    for (int i = 0; i < sentences.size(); i++) {
      int length = sentences.get(i).length;
      // Cut where the middle of this sentence lies beyond the ideal end of the block.
      boolean full = (2 * tokens + length) * blocks > 2 * total * cuts.size();
      if (inBlock > 0 && (full || inBlock + length > capacity())) {
        cuts.add(i);
        inBlock = 0;
      }
      tokens += length;
      inBlock += length;
    }
    cuts.add(sentences.size());
    return cuts;
  }

  /** Half a longest sentence may come on top of a block. */
  private int capacity() {
    return BLOCK_TOKENS + maxTokens;
  }

  private EncoderPass acquire() {
    EncoderPass pass = idle.poll();
    return pass != null ? pass : new EncoderPass(model, pooling, capacity());
  }

  /** What it failed with; null if it did not. */
  private static Throwable await(Future<?> worker) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          worker.get();
          return null;
        } catch (InterruptedException e) { // its work is short, and reads what is the caller's
          interrupted = true;
        } catch (ExecutionException e) {
          return e.getCause();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  // ---- closing

  private <T> T shared(Supplier<T> work) {
    return locked(lock.readLock(), work);
  }

  private <T> T locked(Lock by, Supplier<T> work) {
    by.lock();
    try {
      if (closed) {
        throw new IllegalStateException("the encoder is closed");
      }
      return work.get();
    } finally {
      by.unlock();
    }
  }

  /** Frees the weights and buffers, when calls that run have returned. */
  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        workers.shutdown();
        idle.forEach(EncoderPass::close);
        parameters.close();
        tokenizer.close();
      }
    } finally {
      lock.writeLock().unlock();
    }
  }
}
