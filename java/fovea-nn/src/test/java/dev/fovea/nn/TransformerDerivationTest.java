package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.fovea.Activation;
import dev.fovea.Device;
import dev.fovea.Scope;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;

/**
 * Encoder and decoder against backward passes that were derived by hand, in float64, by {@code
 * src/test/python/transformer.py}: another program in another language, which wrote down what it
 * found.
 */
class TransformerDerivationTest {
  private static final double TOLERANCE = 1e-5;

  private static JsonObject read(String name) throws IOException {
    try (InputStream in = TransformerDerivationTest.class.getResourceAsStream(name);
        Reader reader = new InputStreamReader(in, StandardCharsets.UTF_8)) {
      return JsonParser.parseReader(reader).getAsJsonObject();
    }
  }

  private static double[] doubles(JsonElement array) {
    return array.getAsJsonArray().asList().stream().mapToDouble(JsonElement::getAsDouble).toArray();
  }

  private static long[] longs(JsonArray array) {
    return array.asList().stream().mapToLong(JsonElement::getAsLong).toArray();
  }

  private static TransformerConfig config(JsonObject file, Activation activation) {
    long[] shape = longs(input(file, "x").getAsJsonArray("shape"));
    return TransformerConfig.of((int) shape[2], file.get("heads").getAsInt())
        .feedForward(file.get("hidden").getAsInt(), activation);
  }

  private static JsonObject input(JsonObject file, String name) {
    return file.getAsJsonObject("inputs").getAsJsonObject(name);
  }

  /** Sets values, and asserts out and all gradients. */
  private static <M extends Module> void check(
      Device device,
      JsonObject file,
      GradientCheck.Inputs<M> module,
      BiFunction<Tape, Operands, Variable> forward) {
    JsonObject values = new JsonObject();
    JsonObject inputs = file.getAsJsonObject("inputs");
    JsonObject parameters = file.getAsJsonObject("parameters");
    parameters.keySet().forEach(it -> values.add("module." + it, parameters.get(it)));
    inputs.keySet().forEach(it -> values.add(it, inputs.get(it)));
    try (Parameters memory = Parameters.of(module, device, 1);
        Tape tape = Tape.open(device);
        Scope scope = Scope.open(device)) {
      assertEquals(values.keySet(), memory.named().keySet());
      memory
          .named()
          .forEach(
              (name, parameter) -> {
                JsonObject expected = values.getAsJsonObject(name);
                assertArrayEquals(longs(expected.getAsJsonArray("shape")), parameter.shape(), name);
                parameter.value().copyFrom(floats(doubles(expected.get("value"))));
              });
      memory.changed();
      long[] lengths = longs(file.getAsJsonArray("key_lengths"));
      int[] ints = {(int) lengths[0], (int) lengths[1]};
      Variable seen = tape.constant("lengths", it -> it.copyOf(ints, 2));
      Variable out = forward.apply(tape, Operands.of("key_lengths", seen));
      GradientCheck.assertClose(
          "out", GradientCheck.doubles(out.value()), doubles(file.get("out")), TOLERANCE);
      tape.backward(out, scope.copyOf(floats(doubles(file.get("weights"))), out.shape()));
      memory
          .named()
          .forEach(
              (name, parameter) ->
                  GradientCheck.assertClose(
                      "d" + name,
                      GradientCheck.doubles(parameter.gradient()),
                      doubles(values.getAsJsonObject(name).get("gradient")),
                      TOLERANCE));
    }
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  @Test
  void encoderThatNormalizesBefore() throws IOException {
    JsonObject file = read("encoder.json");
    for (Device device : devices()) {
      var module =
          new GradientCheck.Inputs<>(
                  new TransformerEncoder(
                      config(file, Activation.gelu()), file.get("layers").getAsInt()))
              .with("x", longs(input(file, "x").getAsJsonArray("shape")));
      check(
          device,
          file,
          module,
          (tape, lengths) -> module.module.forward(module.get(tape, "x"), lengths));
    }
  }

  @Test
  void decoderThatNormalizesBehind() throws IOException {
    JsonObject file = read("decoder.json");
    for (Device device : devices()) {
      var module =
          new GradientCheck.Inputs<>(
                  new TransformerDecoder(
                      config(file, Activation.relu()).postNorm(), file.get("layers").getAsInt()))
              .with("x", longs(input(file, "x").getAsJsonArray("shape")))
              .with("memory", longs(input(file, "memory").getAsJsonArray("shape")));
      check(
          device,
          file,
          module,
          (tape, lengths) ->
              module.module.forward(
                  module.get(tape, "x"), module.get(tape, "memory"), Operands.none(), lengths));
    }
  }
}
