package dev.fovea.bench;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import dev.fovea.Tensor;
import dev.fovea.testkit.Pass;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A second peer: PyTorch of a Python environment, of which there are newer ones than of {@link
 * Libtorch}. A process of its own, {@code peer.py}, which waits for requests while others run. Its
 * setting is libtorch's: the faster of two kernels, forward in inference mode.
 */
final class PyTorch implements AutoCloseable {

  private static final String SCRIPT = "peer.py";
  private static final Gson GSON = new Gson();

  private final Process process;
  private final Path folder;
  private final Writer requests;
  private final BufferedReader answers;
  private final JsonObject hello;

  /**
   * Starts it with {@code threads} threads.
   *
   * @param python the interpreter of an environment with PyTorch
   * @throws IOException if there is no such interpreter, or it does not find PyTorch
   */
  PyTorch(String python, int threads) throws IOException {
    String script;
    try (InputStream in = PyTorch.class.getResourceAsStream(SCRIPT)) {
      script = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    process =
        new ProcessBuilder(python, "-c", script, String.valueOf(threads))
            .redirectError(Redirect.INHERIT)
            .start();
    requests = process.outputWriter(StandardCharsets.UTF_8);
    answers = process.inputReader(StandardCharsets.UTF_8);
    folder = Files.createTempDirectory("fovea-pytorch");
    try {
      hello = answer();
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  /** Its version, and the instruction sets that it chose. */
  String version() {
    return "%s (Python), ATen %s"
        .formatted(hello.get("version").getAsString(), hello.get("capability").getAsString());
  }

  /** Hands over the operands of {@code attention}, to the kernel that is faster there. */
  Call call(FoveaAttention attention) throws IOException {
    Map<String, Object> tensors = new LinkedHashMap<>();
    tensors.put("query", write("query", attention.query()));
    tensors.put("key", write("key", attention.key()));
    tensors.put("value", write("value", attention.value()));
    if (attention instanceof FoveaBackward backward) {
      tensors.put("dout", write("dout", backward.dout()));
    }
    AttentionProblem problem = attention.problem();
    JsonObject answer =
        ask(
            Map.of(
                "pass",
                problem.pass() == Pass.FORWARD ? "forward" : "backward",
                "causal",
                problem.causal(),
                "dtype",
                problem.dtypeName(),
                "tensors",
                tensors));
    return new Call(attention.outputs(), answer.get("kernel").getAsString());
  }

  /** A problem that it has; until the next. */
  final class Call implements Interleaved.Work {

    private final List<Tensor> outputs;
    private final String kernel;

    private Call(List<Tensor> outputs, String kernel) {
      this.outputs = outputs;
      this.kernel = kernel;
    }

    /** The kernel that runs. */
    String kernel() {
      return kernel;
    }

    @Override
    public void run() throws IOException {
      run(1);
    }

    /** Asks once for all: an answer through a pipe takes some 20 us, which others do not pay. */
    @Override
    public void run(int times) throws IOException {
      ask(Map.of("run", times));
    }

    /** The results in the order [B, S, H, D], as {@link FoveaAttention#outputs} has them. */
    List<float[]> results() throws IOException {
      Path file = folder.resolve("results");
      ask(Map.of("results", file.toString()));
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.nativeOrder());
      List<float[]> results = new ArrayList<>();
      for (Tensor output : outputs) {
        float[] values = new float[Math.toIntExact(output.elements())];
        bytes.asFloatBuffer().get(values);
        bytes.position(bytes.position() + values.length * Float.BYTES);
        results.add(values);
      }
      return results;
    }
  }

  /** A tensor [B, S, H, D] of any stride order, as the request says it: [B, H, S, D]. */
  private Map<String, Object> write(String name, Tensor bshd) throws IOException {
    Path file = folder.resolve(name);
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer bytes = bshd.segment().asByteBuffer();
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }
    Tensor bhsd = bshd.permute(0, 2, 1, 3);
    return Map.of("file", file.toString(), "shape", bhsd.shape(), "strides", bhsd.strides());
  }

  private JsonObject ask(Map<String, Object> request) throws IOException {
    requests.write(GSON.toJson(request));
    requests.write('\n');
    requests.flush();
    return answer();
  }

  private JsonObject answer() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new IOException("PyTorch's process has ended: what it wrote says why");
    }
    return GSON.fromJson(line, JsonObject.class);
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    for (String name : List.of("query", "key", "value", "dout", "results")) {
      Files.deleteIfExists(folder.resolve(name));
    }
    Files.delete(folder);
  }
}
