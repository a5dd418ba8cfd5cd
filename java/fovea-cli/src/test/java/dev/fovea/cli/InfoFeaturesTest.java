package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.fovea.Attention;
import dev.fovea.AttentionPlan;
import dev.fovea.AttentionShape;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOperations;
import dev.fovea.testkit.Pass;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class InfoFeaturesTest {

  @Test
  void everyMechanismIsAskedOfEveryTierInEveryTypeAndPass() {
    Cli cli = Cli.run("info", "--features", "--json");
    assertEquals(0, cli.code(), cli.err());
    Set<String> asked = new HashSet<>();
    for (JsonObject it : objects(cli.json(), "features")) {
      String name = it.get("mechanism").getAsString() + " " + it.get("backend").getAsString();
      for (JsonObject answer : objects(it, "answers")) {
        assertTrue(answer.get("kernel").isJsonNull() != answer.get("refusal").isJsonNull());
        if (answer.get("feature").isJsonNull()) {
          asked.add(
              name
                  + " "
                  + answer.get("dtype").getAsString()
                  + " "
                  + answer.get("pass").getAsString());
        }
      }
    }
    for (NativeOperation operation : NativeOperations.ALL) {
      for (Device tier : Device.cpuTiers()) {
        for (String dtype : List.of("float32", "float16", "bfloat16")) {
          for (Pass pass : Pass.of(operation)) {
            String name = operation.name() + " " + tier.name() + " " + dtype + " " + pass;
            assertTrue(asked.contains(name), name);
          }
        }
      }
    }
  }

  /** The limits of head dims are those of the public API, on a device where they differ. */
  @Test
  void limitsAreThoseOfThePlanner() {
    for (String name : List.of("cpu:portable", "sim:sm_80")) {
      Device device = Device.byName(name);
      Cli cli = Cli.run("info", "--features", "--json", "--backend", name);
      assertEquals(0, cli.code(), cli.err());
      JsonObject attention =
          objects(cli.json(), "features").stream()
              .filter(it -> it.get("mechanism").getAsString().equals("attention"))
              .findFirst()
              .orElseThrow();
      assertEquals(name, attention.get("backend").getAsString());
      int limits = 0;
      for (JsonObject limit : objects(attention, "limits")) {
        if (limit.get("size").getAsString().equals("head_dim")
            && limit.get("pass").getAsString().equals("forward")) {
          long most = limit.get("most").getAsLong();
          DType dtype = DType.valueOf(limit.get("dtype").getAsString().toUpperCase(Locale.ROOT));
          assertTrue(plan(device, dtype, most).kernel().length() > 0);
          assertThrows(RuntimeException.class, () -> plan(device, dtype, most + 1));
          limits++;
        }
      }
      assertEquals(3, limits);
    }
  }

  private static AttentionPlan plan(Device device, DType dtype, long headDim) {
    return Attention.create()
        .plan(device, AttentionShape.dense(dtype, 3, 3, 3, 3, 3, headDim).valueHeadDim(3).build());
  }

  @Test
  void peopleSeeRowsOfTheDeclaration() {
    String text = Cli.run("info", "--features", "--backend", "cpu").out();
    Set<String> rows =
        text.lines().map(line -> line.strip().replaceAll("  +", ": ")).collect(Collectors.toSet());
    for (NativeOperation operation : NativeOperations.ALL) {
      assertTrue(rows.contains(operation.name() + ": cpu"), text);
    }
    assertTrue(rows.contains("window_left: both"), text);
    assertTrue(rows.contains("weights: forward"), text);
    assertTrue(rows.contains("dsinks: backward"), text);
    assertTrue(rows.contains("spans (with span_ramp): both"), text);
    assertTrue(rows.contains("feature_map 2: both"), text);
  }

  @Test
  void aDeviceWithoutFeaturesIsAMistake() {
    Cli cli = Cli.run("info", "--backend", "cpu");
    assertEquals(Main.USAGE, cli.code());
    assertTrue(cli.err().contains("--backend is for --features alone"), cli.err());
    assertEquals(Main.USAGE, Cli.run("info", "--features", "--backend", "tpu").code());
  }

  private static List<JsonObject> objects(JsonObject of, String name) {
    JsonArray array = of.getAsJsonArray(name);
    return array.asList().stream().map(JsonElement::getAsJsonObject).toList();
  }
}
