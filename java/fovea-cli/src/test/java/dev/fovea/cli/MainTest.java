package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.fovea.Device;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"", "info", "demo", "check", "attend", "bench"})
  void helpIsPrintedOnStandardOutput(String command) {
    Cli cli = command.isEmpty() ? Cli.run("--help") : Cli.run(command, "--help");
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().contains("Usage: fovea"), cli.out());
    assertEquals("", cli.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nonsense",
        "info --nonsense",
        "bench --heads many",
        "bench --heads 0",
        "bench --heads 8 --kv-heads 3",
        "bench --dtype int8",
        "bench --backend tpu",
        "bench --rounds 0",
        "bench --threads 65",
        "check --backend tpu",
        "check --backend sim --arch sm_1",
        "check --arch sm_80",
        "check --backend cpu:avx2 --arch sm_80",
        "check --backend sim:sm_80 --arch sm_80",
        "check --cases -1",
        "attend --query q --key k --value v --out o --arch sm_80",
        "attend",
        "attend --query no.npy --key no.npy --value no.npy --out no.npy",
        "attend --query q --key k --value v --out o --window 3",
        "attend --query q --key k --value v --out o --window -2,0",
        "attend --query q --key k --value v --out o --causal=middle",
        "attend --query q --key k --value v --out o --op gated",
        "attend --query q --key k --value v --out o --op additive",
        "attend --query q --key k --value v --out o --softcap -1",
        "attend --query q --key k --value v --out o --dropout 1",
        "attend --query q --key k --value v --out o --threads 0",
        "attend --query q --key k --value v --out o --dquery dq",
        "attend --query q --key k --value v --out o --dout g",
        "attend --query q --key k --value v --out o --deterministic",
        "attend --query q --key k --value v --out o --dout g --dbias db",
        "attend --query q --key k --value v --out o --dout g --dalibi-slopes ds",
        "attend --query q --key k --value v --out o --dout g --dsinks ds",
        "demo --text no-such-file.txt",
        "demo --out embeddings.npy",
        "demo --top 0",
        "demo --heatmap h.png --layer 6",
        "demo --heatmap h.png --head 12",
        "demo --steps 5",
        "demo --plot loss.png",
        "demo --train --steps 0",
        "demo --train --plot no-such-folder/loss.png",
        "demo --train why",
        "demo --train --plot .",
        "demo --train --heatmap h.png",
        "demo --train --rounds 0",
        "demo --train --translate",
        "demo --train --dictionary d",
        "demo --checkpoint c",
        "demo --translate --dictionary no-such-dictionary",
        "demo --translate --dictionary . --steps 0",
        "demo --translate --dictionary .",
        "demo --translate --dictionary . --alignment a.txt",
        "demo --translate --dictionary . --top 2",
        "demo --tokens 5",
        "demo --generate --translate",
        "demo --generate --train",
        "demo --generate --tokens 0",
        "demo --generate --tokens 4096",
        "demo --generate --temperature -1",
        "demo --generate --temperature NaN",
        "demo --generate --steps 3",
        "demo --generate --plot p.png",
        "demo --generate --top 2"
      })
  void mistakesGiveOneSentenceAndCode2(String line) {
    Cli cli = Cli.run(line.split(" "));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertEquals("", cli.out());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
    assertFalse(cli.err().contains("Exception"), cli.err());
  }

  @Test
  void infoNamesLibrariesTiersAndDevices() {
    Cli cli = Cli.run("info", "--json");
    assertEquals(0, cli.code(), cli.err());
    JsonObject json = cli.json();
    assertEquals("fovea_cpu", first(json, "libraries").get("name").getAsString());
    assertTrue(first(json, "libraries").get("loaded").getAsBoolean(), cli.out());
    JsonObject cpu = json.getAsJsonObject("cpu");
    int here = cpu.getAsJsonArray("tiers").size();
    assertTrue(here >= 1);
    assertEquals(Device.Isa.values().length, here + cpu.getAsJsonArray("missing").size());
    assertEquals(
        Device.cpu().memoryLimit(), json.getAsJsonObject("cpu").get("memoryLimit").getAsLong());
    assertEquals("cpu", first(json, "devices").get("name").getAsString());
    assertTrue(cli.err().contains("fovea_cpu"), "text goes to standard error");
    String text = Cli.run("info").out();
    assertTrue(text.contains("CPU: "), text);
    assertTrue(text.contains("  sim:sm_80: "), text);
  }

  /** Where there is no GPU, a sentence says why, and nothing else goes wrong. */
  @Test
  void infoNamesCudaDevicesOrWhyThereAreNone() {
    Cli cli = Cli.run("info");
    assertEquals(0, cli.code(), cli.err());
    assertTrue(
        cli.out().contains("  cuda:0: ") || cli.out().contains("fovea_cuda is not there:\n  "),
        cli.out());
  }

  private static JsonObject first(JsonObject json, String array) {
    return json.getAsJsonArray(array).get(0).getAsJsonObject();
  }

  @Test
  void checkPrintsItsCountAndCoverage() {
    Cli cli = Cli.run("check", "--cases", "20", "--seed", "7", "--json");
    assertEquals(0, cli.code(), cli.err());
    JsonObject json = cli.json();
    assertEquals(20, json.get("passed").getAsInt());
    assertEquals(0, json.get("failed").getAsInt());
    assertTrue(json.getAsJsonObject("coverage").size() > 3, cli.out());
    assertTrue(cli.err().contains("20 passed, 0 failed"), cli.err());
  }

  @Test
  void checkRunsBackwardCases() {
    Cli cli = Cli.run("check --pass backward --cases 10 --seed 7 --json".split(" "));
    assertEquals(0, cli.code(), cli.err());
    assertEquals("attention", cli.json().get("op").getAsString());
    assertEquals("backward", cli.json().get("pass").getAsString());
    assertEquals(10, cli.json().get("passed").getAsInt());
    assertEquals(2, Cli.run("check", "--pass", "sideways").code());
  }

  @ParameterizedTest
  @ValueSource(strings = {"forward", "backward"})
  void checkRunsCasesOfAnotherOperation(String pass) {
    String line = "check --op additive --cases 10 --seed 7 --json --pass " + pass;
    Cli cli = Cli.run(line.split(" "));
    assertEquals(0, cli.code(), cli.err());
    assertEquals("additive", cli.json().get("op").getAsString());
    assertEquals(pass, cli.json().get("pass").getAsString());
    assertEquals(10, cli.json().get("passed").getAsInt());
  }

  @Test
  void checkRunsOnASimulatedGpu() {
    String line = "check --backend sim --arch sm_90 --cases 4 --seed 7 --fail-fast --json";
    Cli cli = Cli.run(line.split(" "));
    assertEquals(0, cli.code(), cli.err());
    assertEquals("sim:sm_90", cli.json().get("backend").getAsString());
    assertEquals(4, cli.json().get("passed").getAsInt());
  }

  @ParameterizedTest
  @ValueSource(strings = {"float32", "float16", "bfloat16"})
  void benchVerifiesThenTimes(String dtype) {
    List<String> arguments =
        List.of(
            ("bench --json --rounds 1 --batch 2 --heads 4 --kv-heads 2 --query-length 40"
                    + " --key-length 72 --head-dim 24 --causal --threads 2 --dtype "
                    + dtype)
                .split(" "));
    Cli cli = Cli.run(arguments.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    JsonObject json = cli.json();
    assertEquals(80, json.get("rowsVerified").getAsInt());
    assertTrue(json.get("foveaGflops").getAsDouble() > 0);
    assertTrue(json.get("timesUnfused").getAsDouble() > 0);
  }

  @Test
  void aFewStepsAreNotEnoughToLearn() throws Exception {
    Path plot = folder.resolve("loss.png");
    Cli cli = Cli.run("demo", "--train", "--steps", "3", "--plot", plot.toString(), "--json");
    assertEquals(Main.FAILED, cli.code(), cli.err());
    JsonObject json = cli.json();
    assertFalse(json.get("learnt").getAsBoolean());
    assertTrue(json.get("accuracy").getAsDouble() < 0.5, cli.out());
    assertTrue(json.get("loss").getAsDouble() > 0.5, cli.out());
    assertEquals(3, json.get("steps").getAsInt());
    assertTrue(json.get("seconds").getAsDouble() > 0);
    assertTrue(cli.err().contains("it has not learnt to sort"), cli.err());
    assertTrue(javax.imageio.ImageIO.read(plot.toFile()).getWidth() > 100);
  }

  @Test
  void aTextFileIsEmbedded() throws Exception {
    Path text = folder.resolve("lines.txt");
    java.nio.file.Files.writeString(text, "The heap is full.\n\nA cat sleeps.\n");
    Path out = folder.resolve("embeddings.npy");
    Path picture = folder.resolve("weights.png");
    Cli cli =
        Cli.run(
            "demo",
            "--json",
            "--rounds",
            "0",
            "--text",
            text.toString(),
            "--out",
            out.toString(),
            "--heatmap",
            picture.toString(),
            "out of memory");
    assertEquals(0, cli.code(), cli.err());
    JsonObject json = cli.json();
    assertEquals(2, json.getAsJsonObject("text").get("lines").getAsInt());
    JsonObject best = first(first(json, "answers"), "best");
    assertEquals("The heap is full.", best.get("line").getAsString());
    assertTrue(json.get("minCosineVsOnnxRuntime").getAsDouble() >= 0.99999, cli.out());
    assertTrue(json.get("maxAbsDiffVsOnnxRuntime").getAsDouble() <= 2e-5, cli.out());
    assertEquals(128 + 2 * 384 * 4, java.nio.file.Files.size(out));
    assertTrue(javax.imageio.ImageIO.read(picture.toFile()).getWidth() > 100);
  }
}
