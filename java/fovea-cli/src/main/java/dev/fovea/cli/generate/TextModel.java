package dev.fovea.cli.generate;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Positions;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerLm;
import dev.fovea.nn.train.Safetensors;
import dev.fovea.serving.KvCache;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A language model whose words are bytes of UTF-8, in the way of LLaMA: rotary positions, fewer
 * heads of keys, SwiGLU, normalization by the root mean square. A token sees those not far behind
 * it, so that text may become longer than what the model learnt from.
 */
final class TextModel {
  /** Bytes that there are. */
  static final int WORDS = 256;

  /** Bytes of text at the most. */
  static final int LONGEST = 4096;

  private static final int WIDTH = 128;
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int HIDDEN = 352;
  private static final int LAYERS = 5;
  private static final int WINDOW = 128;
  private static final int PAGE = 16;

  private static final String RESOURCE = "text.safetensors";

  private TextModel() {}

  static TransformerLm create() {
    TransformerConfig config =
        TransformerConfig.of(WIDTH, HEADS)
            .keyHeads(KEY_HEADS)
            .rmsNorm()
            .swiGlu(HIDDEN)
            .noBias()
            .positions(Positions.rotary(LONGEST, WIDTH / HEADS))
            .attention(Attention.builder().causal().window(WINDOW, 0).build());
    return new TransformerLm(new Embedding(WORDS, WIDTH), config, LAYERS);
  }

  /** A cache for so many sequences of the greatest length. */
  static KvCache cache(Device device, int sequences) {
    return KvCache.on(device)
        .layers(LAYERS)
        .keyHeads(KEY_HEADS)
        .headDim(WIDTH / HEADS)
        .pageSize(PAGE)
        .pages(sequences * (LONGEST / PAGE))
        .longest(LONGEST)
        .make();
  }

  /** A file of parameters, with half of their digits: bfloat16. */
  static byte[] bytes(Parameters parameters) throws IOException {
    Path file = Files.createTempFile("fovea", ".safetensors");
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      parameters
          .named()
          .forEach((name, it) -> tensors.put(name, it.value().to(scope, DType.BFLOAT16)));
      Safetensors.write(file, tensors, Map.of());
      return Files.readAllBytes(file);
    } finally {
      Files.delete(file);
    }
  }

  /** Reads parameters of {@link #create a model}. */
  static void read(Path file, Parameters parameters) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Safetensors.read(file, arena).copyTo(parameters);
    }
  }

  /** Reads the parameters that this build has. */
  static void readOwn(Parameters parameters) throws IOException {
    Path file = Files.createTempFile("fovea", ".safetensors");
    try (var in = TextModel.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IOException(RESOURCE + " is missing from this build");
      }
      Files.write(file, in.readAllBytes());
      read(file, parameters);
    } finally {
      Files.delete(file);
    }
  }
}
