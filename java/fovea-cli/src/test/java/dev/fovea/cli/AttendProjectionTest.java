package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.LowRankAttention;
import dev.fovea.LowRankCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.projection.CaseBuilder;
import dev.fovea.testkit.projection.CaseBuilder.Sharing;
import dev.fovea.testkit.projection.Operands;
import dev.fovea.testkit.projection.Oracle;
import dev.fovea.testkit.projection.ProjectionCase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code attend --op projection} against its oracle, {@code low-rank} against its class. */
class AttendProjectionTest {

  @TempDir private Path folder;

  /** A weight for each head, for all, and one that has no dimension of heads. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void projectsBothWays(int kind) throws IOException {
    CaseBuilder builder =
        new CaseBuilder()
            .sizes(2, 11, 4, 3, 5)
            .lengths(11, 6)
            .sharing(kind == 0 ? Sharing.NONE : Sharing.ONE);
    ProjectionCase forward = builder.build();
    ProjectionCase backward = builder.backward(DType.FLOAT32).build();
    Operands data = Operands.of(backward);
    Map<String, Expected> results = new HashMap<>(Oracle.run(backward, data, Precision.CPU));
    results.putAll(Oracle.run(forward, data, Precision.CPU));
    NpyFiles files = new NpyFiles(folder);
    List<String> line = new ArrayList<>(List.of("attend", "--op", "projection"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      long[] shape = backward.layout(operand.getKey()).size();
      boolean weight = shape.length == 3;
      long[] shown = weight && kind == 2 ? Arrays.copyOfRange(shape, 1, 3) : shape;
      line.addAll(files.operand(operand.getKey(), NpyType.FLOAT32, operand.getValue(), shown));
    }
    line.addAll(files.operand("lengths", NpyType.INT32, new float[] {11, 6}, 2));
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    for (Map.Entry<String, Expected> result : results.entrySet()) {
      Npy got = files.read(result.getKey());
      Expected right = result.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        double off = Math.abs(got.value(i) - right.value(i));
        assertTrue(off <= right.allowed(i), result.getKey() + " " + i + " is off by " + off);
      }
    }
  }

  private static float[] normals(long seed, int count) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  @Test
  void attendsToProjectedKeys() throws IOException {
    long[] query = {2, 5, 4, 6};
    long[] key = {2, 9, 2, 6};
    long[] value = {2, 9, 2, 3};
    long[] projection = {4, 9};
    long[] out = {2, 5, 4, 3};
    Map<String, long[]> shapes =
        Map.of(
            "query", query,
            "key", key,
            "value", value,
            "key-projection", projection,
            "value-projection", projection,
            "dout", out);
    NpyFiles files = new NpyFiles(folder);
    List<String> line =
        new ArrayList<>(List.of("attend", "--op", "low-rank", "--scale", "0.25", "--softcap", "5"));
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new HashMap<>();
      long seed = 1;
      for (Map.Entry<String, long[]> operand : shapes.entrySet()) {
        long elements = Arrays.stream(operand.getValue()).reduce(1, (a, b) -> a * b);
        float[] values = normals(seed++, (int) elements);
        tensors.put(operand.getKey(), scope.copyOf(values, operand.getValue()));
        line.addAll(files.operand(operand.getKey(), NpyType.FLOAT32, values, operand.getValue()));
      }
      line.addAll(files.operand("key-lengths", NpyType.INT32, new float[] {9, 4}, 2));
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 5);
      Tensor weights = scope.allocate(DType.FLOAT32, 2, 4, 5, 4);
      LowRankCall call =
          LowRankAttention.of(Attention.builder().scale(0.25).softcap(5).build())
              .call(
                  tensors.get("query"),
                  tensors.get("key"),
                  tensors.get("value"),
                  tensors.get("key-projection"),
                  tensors.get("value-projection"))
              .keyLengths(scope.copyOf(new int[] {9, 4}, 2))
              .lse(lse)
              .weights(weights);
      Map<String, Tensor> results = new HashMap<>();
      results.put("out", call.forward(scope));
      results.put("lse", lse);
      results.put("weights", weights);
      results.put("dkey-projection", scope.allocate(DType.FLOAT32, projection));
      results.put("dvalue-projection", scope.allocate(DType.FLOAT32, projection));
      AttentionGradients gradients =
          call.gradients(tensors.get("dout"))
              .dkeyProjection(results.get("dkey-projection"))
              .dvalueProjection(results.get("dvalue-projection"))
              .backward(scope);
      results.put("dquery", gradients.query());
      results.put("dkey", gradients.key());
      results.put("dvalue", gradients.value());
      results.keySet().forEach(it -> line.addAll(files.result(it)));
      Cli cli = Cli.run(line.toArray(String[]::new));
      assertEquals(0, cli.code(), cli.err());
      assertTrue(cli.out().contains("low-rank on cpu by projection_cpu"), cli.out());
      for (Map.Entry<String, Tensor> result : results.entrySet()) {
        Npy got = files.read(result.getKey());
        float[] right = result.getValue().toFloatArray();
        assertEquals(right.length, got.elements());
        for (int i = 0; i < right.length; i++) {
          assertEquals(right[i], got.value(i), result.getKey() + " " + i);
        }
      }
    }
  }

  /** Projected keys have no positions. */
  @Test
  void nothingOfPositionsGoesWithIt() {
    for (String option : List.of("--causal", "--window=1,0", "--image-window=4,1,1")) {
      Cli cli = Cli.run("attend", "--op", "low-rank", option);
      assertEquals(Main.USAGE, cli.code(), cli.err());
      String name = option.split("=", 2)[0];
      assertTrue(cli.err().contains(name + " does not go with --op low-rank, only"), cli.err());
    }
  }
}
