package dev.fovea.cli.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.Device;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.TransformerLm;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateDemoTest {
  private static final String SENTENCE = "Wir müssen wissen, wir werden wissen. ";

  @TempDir private Path folder;
  private final ByteArrayOutputStream text = new ByteArrayOutputStream();

  private JsonObject run(GenerateDemo.Settings settings) throws Exception {
    return new GenerateDemo(settings, new PrintStream(text, true, StandardCharsets.UTF_8)).run();
  }

  private static String said(JsonArray texts, int i) {
    return texts.get(i).getAsJsonObject().get("text").getAsString();
  }

  /** What it has learnt it knows by heart, also from a file. */
  @Test
  void aSentenceIsLearnt() throws Exception {
    byte[] sentences = SENTENCE.repeat(20).getBytes(StandardCharsets.UTF_8);
    TransformerLm model = TextModel.create();
    Path checkpoint = folder.resolve("model");
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        TextTraining training = new TextTraining(sentences, model, parameters, 2, 60, 1)) {
      double[] losses = training.run(60, (step, metrics) -> {});
      assertTrue(losses[59] < 0.1, "loss " + losses[59]);
      Files.write(checkpoint, TextModel.bytes(parameters));
    }
    List<String> prompts = List.of("Wir m", "werden");
    JsonObject document =
        run(new GenerateDemo.Settings(prompts, 30, 0, null, 1, 7, checkpoint, null));
    assertTrue(document.get("equal").getAsBoolean());
    assertEquals(60, document.get("tokens").getAsInt());
    JsonArray texts = document.getAsJsonArray("texts");
    assertEquals("üssen wissen, wir werden wis", said(texts, 0).substring(0, 28));
    assertEquals(" wissen. Wir müssen wis", said(texts, 1).substring(0, 23));
    assertTrue(text.toString(StandardCharsets.UTF_8).contains("> Wir müssen wissen"));
  }

  @Test
  void trainingWritesAModelAndAPlot() throws Exception {
    Path sentences = Files.writeString(folder.resolve("text"), SENTENCE.repeat(20));
    Path model = folder.resolve("model");
    Path plot = folder.resolve("loss.png");
    List<String> prompts = List.of("Wir");
    JsonObject trained =
        run(new GenerateDemo.Settings(prompts, 5, 1, sentences, 2, 1, model, plot));
    assertTrue(trained.get("equal").getAsBoolean());
    assertEquals(2, trained.get("steps").getAsInt());
    assertTrue(ImageIO.read(plot.toFile()).getWidth() > 100);
    assertTrue(Files.size(model) > 2 * trained.get("parameters").getAsLong());
  }

  /** The model of this build knows some English, whatever the seed. */
  @Test
  void theOwnModelSaysSomething() throws Exception {
    JsonObject said = run(new GenerateDemo.Settings(List.of(), 40, 0.5, null, 1, 3, null, null));
    assertTrue(said.get("equal").getAsBoolean());
    assertEquals(4, said.getAsJsonArray("texts").size());
    String all = text.toString(StandardCharsets.UTF_8);
    assertTrue(all.contains("all of these bytes are the same"), all);
    long words = all.chars().filter(it -> it == ' ').count();
    assertTrue(words > 20, all);
  }

  @Test
  void charactersOfSeveralBytesComeWhole() {
    String mixed = "aé€😀";
    ByteText bytes = new ByteText();
    StringBuilder out = new StringBuilder();
    for (int token : ByteText.tokens(mixed)) {
      out.append(bytes.add(token));
    }
    assertEquals(mixed, out.toString());
    assertEquals(mixed, ByteText.of(ByteText.tokens(mixed)));
    assertArrayEquals(new int[] {97, 195, 169}, ByteText.tokens("aé"));
    for (int token : new int[] {0xff, 'a', 0xe2, 'b', 0x80}) {
      out.append(bytes.add(token));
    }
    assertEquals(mixed + "\uFFFDa\uFFFDb\uFFFD", out.toString());
  }
}
