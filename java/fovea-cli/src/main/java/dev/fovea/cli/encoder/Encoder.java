package dev.fovea.cli.encoder;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.ffi.OpenBlas;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The sentence encoder all-MiniLM-L6-v2: six BERT layers, mean pooling, length 1 (Reimers and
 * Gurevych, Sentence-BERT, arXiv 1908.10084). Attention is Fovea's, on ragged batches; matrix
 * products are OpenBLAS's.
 *
 * <p>A batch is cut into blocks of whole sentences. Each block goes through all layers on one
 * thread, so that threads meet only at the end and a block's activations stay in the cache. Results
 * do not depend on the number of threads or on the other sentences beyond float rounding.
 * Thread-safe.
 */
public final class Encoder implements AutoCloseable {

  /** Values of an embedding. */
  public static final int DIMENSIONS = EncoderWeights.HIDDEN;

  /** Layers, each with {@link #HEADS} heads. */
  public static final int LAYERS = EncoderWeights.LAYERS;

  /** Attention heads of a layer. */
  public static final int HEADS = EncoderWeights.HEADS;

  /** The longest sentence, in tokens. */
  public static final int MAX_TOKENS = EncoderWeights.MAX_TOKENS;

  /**
   * Tokens of a block. The matrix product packs the weights once for each block, so small blocks
   * are slow: 256 tokens take 15 % longer than 768, where the gain ends.
   */
  private static final int BLOCK_TOKENS = 768;

  private final Scope scope = Scope.open();
  private final EncoderWeights weights;
  private final ConcurrentLinkedQueue<EncoderPass> idle = new ConcurrentLinkedQueue<>();

  // Kept: threads started for each batch often share a core for their first tens of milliseconds.
  private final ExecutorService workers =
      Executors.newCachedThreadPool(
          Thread.ofPlatform().daemon().name("fovea-encoder-", 0).factory());

  /**
   * An encoder with the weights of {@code model}.
   *
   * @param model the ONNX file
   * @throws IOException if the model is not all-MiniLM-L6-v2 in float32
   */
  public Encoder(byte[] model) throws IOException {
    weights = new EncoderWeights(OnnxModel.read(model), scope);
  }

  /**
   * Embeds {@code sentences}.
   *
   * @param sentences token numbers, with the special tokens at both ends, 1 to {@link #MAX_TOKENS}
   *     each
   * @param threads how many threads work, the caller among them; of more than {@link
   *     OpenBlas#MAX_THREADS} the rest stays idle
   * @return an embedding for each sentence: {@link #DIMENSIONS} values of length 1
   */
  public float[][] embed(List<int[]> sentences, int threads) {
    if (sentences.isEmpty()) {
      return new float[0][];
    }
    if (threads < 1) {
      throw new IllegalArgumentException("threads is " + threads + ", expected 1 or more");
    }
    sentences.forEach(Encoder::check);
    int working = Math.min(threads, OpenBlas.MAX_THREADS);
    List<Integer> cuts = cuts(sentences, working);
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
    for (int i = 1; i < Math.min(working, cuts.size() - 1); i++) {
      others.add(workers.submit(work));
    }
    work.run();
    others.forEach(Encoder::await);
    return results;
  }

  /**
   * The attention weights of {@code layer} over one sentence: [{@link #HEADS}, tokens, tokens] in
   * row-major order, where each row sums to 1.
   */
  public float[] attentionWeights(int[] sentence, int layer) {
    check(sentence);
    if (layer < 0 || layer >= LAYERS) {
      throw new IllegalArgumentException("layer is " + layer + ", expected 0 to " + (LAYERS - 1));
    }
    EncoderPass pass = acquire();
    try (Scope local = Scope.open()) {
      Tensor out = local.allocate(DType.FLOAT32, HEADS, sentence.length, sentence.length);
      pass.weights(sentence, layer, out);
      return out.toFloatArray();
    } finally {
      idle.add(pass);
    }
  }

  private static void check(int[] sentence) {
    if (sentence.length == 0 || sentence.length > MAX_TOKENS) {
      throw new IllegalArgumentException(
          "a sentence has " + sentence.length + " tokens, expected 1 to " + MAX_TOKENS);
    }
    for (int token : sentence) {
      if (token < 0 || token >= EncoderWeights.VOCABULARY) {
        throw new IllegalArgumentException(
            "token " + token + " is not in the vocabulary of " + EncoderWeights.VOCABULARY);
      }
    }
  }

  /**
   * Where to cut the batch into blocks: at sentence ends, all blocks about as long, their number a
   * multiple of the threads, so that these finish together.
   */
  private static List<Integer> cuts(List<int[]> sentences, int threads) {
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
  private static int capacity() {
    return BLOCK_TOKENS + MAX_TOKENS;
  }

  private EncoderPass acquire() {
    EncoderPass pass = idle.poll();
    return pass != null ? pass : new EncoderPass(weights, capacity());
  }

  private static void await(Future<?> worker) {
    try {
      worker.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "a worker failed: " + e.getCause().getMessage(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while embedding", e);
    }
  }

  /** Frees the weights and buffers; no call may be running. */
  @Override
  public void close() {
    workers.shutdown();
    idle.forEach(EncoderPass::close);
    scope.close();
  }
}
