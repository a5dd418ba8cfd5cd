package dev.fovea.encoder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that are no encoder. */
class RefusalTest {
  @TempDir private Path folder;

  @BeforeEach
  void write() throws IOException {
    new TinyBert(1).write(folder);
  }

  private void assertRefused(String why) {
    assertRefused(folder, why);
  }

  private void assertRefused(Path path, String why) {
    IOException refused = assertThrows(IOException.class, () -> Encoder.load(path));
    String message = refused.getMessage();
    assertTrue(message.contains(why), message);
    assertEquals(1, message.lines().count(), message);
  }

  private void config(String what, String by) throws IOException {
    assertTrue(TinyBert.config().contains(what), what);
    Files.writeString(folder.resolve("config.json"), TinyBert.config().replace(what, by));
  }

  @Test
  void missingFiles() throws IOException {
    assertRefused(folder.resolve("none"), "none is missing, or no file");
    for (String file : List.of("config.json", "tokenizer.json", "model.safetensors")) {
      Path away = folder.resolve("away");
      Files.move(folder.resolve(file), away);
      assertRefused(file + " is missing, or no file");
      Files.move(away, folder.resolve(file));
    }
    Path onnx = folder.resolve("model.onnx");
    Files.write(onnx, TinyOnnx.of(new TinyBert(1)));
    Files.delete(folder.resolve("tokenizer.json"));
    assertRefused(onnx, "tokenizer.json is missing, or no file");
    assertRefused(folder.resolve("config.json"), "is no folder and no .onnx file");
  }

  @Test
  void otherArchitectures() throws IOException {
    config("\"bert\"", "\"roberta\"");
    assertRefused("config.json has model_type roberta, expected bert");
    config("\"absolute\"", "\"relative_key\"");
    assertRefused("has position_embedding_type relative_key, expected absolute");
    config("\"gelu\"", "\"mish\"");
    assertRefused("has hidden_act mish, expected gelu, ");
    config("{", "{\"is_decoder\": true, ");
    assertRefused("is of a decoder, expected an encoder");
  }

  @Test
  void configsThatSayNoSizes() throws IOException {
    config("\"hidden_size\": 24", "\"hidden_size\": 25");
    assertRefused("has hidden_size 25, expected a multiple of num_attention_heads, 3");
    config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0");
    assertRefused("has num_hidden_layers 0, expected a whole number of at least 1");
    config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1.5");
    assertRefused("has num_hidden_layers 1.5, expected a whole number of at least 1");
    config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": \"2\"");
    assertRefused("has num_hidden_layers \"2\", expected a number");
    config("\"vocab_size\"", "\"vocab\"");
    assertRefused("config.json has no vocab_size");
    config("0.001", "-1");
    assertRefused("has layer_norm_eps -1.0, expected 0 to 1");
    Files.writeString(folder.resolve("config.json"), "[]");
    assertRefused("config.json is no JSON object");
    Files.writeString(folder.resolve("config.json"), "{\"model_type\": ");
    assertRefused("config.json is no JSON: ");
    Files.write(folder.resolve("config.json"), new byte[] {'{', (byte) 0xff, '}'});
    assertRefused("config.json is no UTF-8");
  }

  @Test
  void weightsThatDoNotFit() throws IOException {
    config("\"intermediate_size\": 40", "\"intermediate_size\": 41");
    assertRefused("encoder.layer.0.intermediate.dense.weight of shape [40, 24], expected [41, 24]");
    config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assertRefused("model.safetensors has no encoder.layer.2.attention.self.query.weight");
    Files.writeString(folder.resolve("config.json"), TinyBert.config());
    new TinyBert(1).write(folder, DType.FLOAT32, "roberta.");
    assertRefused("has no embeddings.position_embeddings.weight");
    Files.writeString(folder.resolve("model.safetensors"), "this is not a model");
    assertRefused("is damaged, or no safetensors file");
  }

  @Test
  void onnxFilesThatDoNotFit() throws IOException {
    Path onnx = folder.resolve("model.onnx");
    Files.write(onnx, TinyOnnx.of(new TinyBert(1)));
    config("\"intermediate_size\": 40", "\"intermediate_size\": 41");
    assertRefused(onnx, "has shape [24, 40], expected [24, 41]");
    config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assertRefused(onnx, "no node '/encoder/layer.2/attention/self/query/MatMul'");
    Files.delete(folder.resolve("config.json")); // all-MiniLM-L6-v2 then
    assertRefused(onnx, "has shape [12, 24], expected [512, 384]");
    byte[] nonsense = "this is not a model".getBytes(StandardCharsets.UTF_8);
    byte[] tokenizer = Files.readAllBytes(folder.resolve("tokenizer.json"));
    assertThrows(IOException.class, () -> Encoder.load(nonsense, tokenizer));
    assertThrows(IOException.class, () -> Encoder.load(new byte[0], tokenizer));
  }

  @Test
  void otherPoolings() throws IOException {
    Path own = Files.createDirectories(folder.resolve("1_Pooling"));
    Path config = own.resolve("config.json");
    Files.writeString(config, "{\"pooling_mode_max_tokens\": true}");
    assertRefused("has pooling of max_tokens, expected mean_tokens or cls_token alone");
    Files.writeString(
        config, "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}");
    assertRefused("has pooling of cls_token and mean_tokens, expected");
    Path modules = folder.resolve("modules.json");
    Files.writeString(modules, "[{\"path\": \"2_Dense\", \"type\": \"x.models.Dense\"}]");
    assertRefused("has a module of type x.models.Dense, expected Transformer, Pooling or Norm");
    Files.writeString(modules, "{}");
    assertRefused("modules.json is no JSON array");
  }

  @Test
  void tokenizersThatAreNone() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), "{}");
    assertRefused("tokenizer.json is no tokenizer: ");
  }
}
