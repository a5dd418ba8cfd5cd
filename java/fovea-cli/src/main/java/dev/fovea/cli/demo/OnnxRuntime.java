package dev.fovea.cli.demo;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import dev.fovea.cli.files.Resources;
import dev.fovea.testkit.CleanExit;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The same model run by ONNX Runtime: the peer that the encoder is compared with. Not thread-safe.
 */
public final class OnnxRuntime implements AutoCloseable {

  private static final String PLACE = "onnxruntime.native.path";
  private static final String RESOURCES = "ai/onnxruntime/native/linux-x64/";
  private static final List<String> LIBRARIES =
      List.of("libonnxruntime.so", "libonnxruntime4j_jni.so");

  private static boolean loaded; // read and written in load() alone, where one thread is at a time

  private final byte[] model;
  private final int threads;
  private final OrtEnvironment environment;
  private final OrtSession session;

  // For side by side only: each call on one thread.
  private OrtSession narrow;
  private ExecutorService callers;

  /**
   * Opens {@code model} with all graph optimisations.
   *
   * @param threads threads that work at a time
   */
  public OnnxRuntime(byte[] model, int threads) throws OrtException, IOException {
    this.model = model;
    this.threads = threads;
    forbidTelemetry();
    environment = CleanExit.inFolder("fovea-onnxruntime-", OnnxRuntime::load);
    session = open(threads);
  }

  /**
   * Loads the library, or finds it loaded. Left to itself, it extracts its files to a folder that
   * it never deletes.
   */
  private static OrtEnvironment load(Path folder) throws IOException {
    if (!loaded && System.getProperty(PLACE) == null) {
      for (String library : LIBRARIES) {
        Resources.copy(RESOURCES + library, folder, "com.microsoft.onnxruntime:onnxruntime");
      }
      System.setProperty(PLACE, folder.toString());
      try {
        return environment();
      } finally {
        System.clearProperty(PLACE);
      }
    }
    return environment();
  }

  private static OrtEnvironment environment() {
    OrtEnvironment found = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
    loaded = true;
    return found;
  }

  /**
   * The library reports its use to its maker unless this variable is set before it is loaded. Java
   * cannot set one for its own process; C can.
   */
  @SuppressWarnings("restricted")
  private static void forbidTelemetry() {
    Linker linker = Linker.nativeLinker();
    MethodHandle setenv =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("setenv"),
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      int status =
          (int)
              setenv.invokeExact(
                  arena.allocateFrom("ORT_DISABLE_TELEMETRY"), arena.allocateFrom("1"), 1);
      if (status != 0) {
        throw new IllegalStateException("setenv failed");
      }
    } catch (Throwable e) {
      throw new IllegalStateException("ONNX Runtime's telemetry cannot be turned off", e);
    }
  }

  private OrtSession open(int threadsOfAnOperator) throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(threadsOfAnOperator);
      options.setInterOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      return environment.createSession(model, options);
    }
  }

  /** The version of the library. */
  public String version() {
    return environment.getVersion();
  }

  /** Embeds all sentences as one batch, padded to the longest; threads share each operator. */
  public float[][] embedPadded(List<int[]> sentences) throws OrtException {
    return embed(session, sentences);
  }

  /** Embeds one sentence after the other, without padding; threads share each operator. */
  public float[][] embedOneByOne(List<int[]> sentences) throws OrtException {
    float[][] results = new float[sentences.size()][];
    for (int i = 0; i < results.length; i++) {
      results[i] = embed(session, sentences.subList(i, i + 1))[0];
    }
    return results;
  }

  /**
   * Embeds each sentence on one thread, several at a time: with more than one thread its best way
   * on a CPU. With one it is the same as one by one.
   */
  public float[][] embedSideBySide(List<int[]> sentences) throws OrtException {
    if (threads == 1) {
      return embedOneByOne(sentences);
    }
    if (narrow == null) {
      narrow = open(1);
      callers = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory());
    }
    float[][] results = new float[sentences.size()][];
    AtomicInteger next = new AtomicInteger();
    Callable<Void> caller =
        () -> {
          for (int i = next.getAndIncrement(); i < results.length; i = next.getAndIncrement()) {
            results[i] = embed(narrow, sentences.subList(i, i + 1))[0];
          }
          return null;
        };
    List<Future<Void>> running = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      running.add(callers.submit(caller));
    }
    for (Future<Void> one : running) {
      await(one);
    }
    return results;
  }

  private static void await(Future<Void> caller) throws OrtException {
    try {
      caller.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof OrtException cause) {
        throw cause;
      }
      throw new IllegalStateException("a caller failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while embedding", e);
    }
  }

  private float[][] embed(OrtSession with, List<int[]> sentences) throws OrtException {
    int longest = sentences.stream().mapToInt(s -> s.length).max().orElse(0);
    int count = sentences.size() * longest;
    LongBuffer tokens = longs(count);
    LongBuffer mask = longs(count);
    for (int b = 0; b < sentences.size(); b++) {
      int[] sentence = sentences.get(b);
      for (int i = 0; i < sentence.length; i++) {
        tokens.put(b * longest + i, sentence[i]);
        mask.put(b * longest + i, 1);
      }
    }
    long[] shape = {sentences.size(), longest};
    try (OnnxTensor ids = OnnxTensor.createTensor(environment, tokens, shape);
        OnnxTensor attention = OnnxTensor.createTensor(environment, mask, shape);
        OnnxTensor types = OnnxTensor.createTensor(environment, longs(count), shape);
        OrtSession.Result result =
            with.run(
                Map.of("input_ids", ids, "attention_mask", attention, "token_type_ids", types))) {
      OnnxTensor rows = (OnnxTensor) result.get(0);
      int width = Math.toIntExact(rows.getInfo().getShape()[2]);
      return pool(rows.getFloatBuffer(), width, sentences, longest);
    }
  }

  /** The mean over each sentence's own tokens, scaled to length 1. */
  private static float[][] pool(FloatBuffer hidden, int width, List<int[]> sentences, int longest) {
    float[][] results = new float[sentences.size()][width];
    float[] row = new float[width];
    for (int b = 0; b < results.length; b++) {
      double squares = 0;
      for (int i = 0; i < sentences.get(b).length; i++) {
        hidden.get((b * longest + i) * width, row);
        for (int d = 0; d < width; d++) {
          results[b][d] += row[d];
        }
      }
      for (float v : results[b]) {
        squares += (double) v * v;
      }
      float scale = (float) (1 / Math.max(Math.sqrt(squares), 1e-12));
      for (int d = 0; d < width; d++) {
        results[b][d] *= scale;
      }
    }
    return results;
  }

  private static LongBuffer longs(int count) {
    return ByteBuffer.allocateDirect(count * Long.BYTES)
        .order(ByteOrder.nativeOrder())
        .asLongBuffer();
  }

  @Override
  public void close() throws OrtException {
    session.close(); // the environment is one for the whole process and stays
    if (narrow != null) {
      callers.shutdown();
      narrow.close();
    }
  }
}
