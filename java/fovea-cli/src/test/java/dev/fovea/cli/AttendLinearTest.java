package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.LinearAttention;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.LinearBackward;
import dev.fovea.LinearCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Gaussian;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code attend --op linear} against the public classes, whose results the test kit checks. */
class AttendLinearTest {

  private static final long B = 2;
  private static final long S = 9;
  private static final long HQ = 4;
  private static final long HK = 2;
  private static final long D = 8;
  private static final long DV = 5;

  @TempDir private Path folder;

  private NpyFiles files;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  @BeforeEach
  void nameFiles() {
    files = new NpyFiles(folder);
  }

  private List<String> operand(Scope scope, String name, double low, long... shape)
      throws IOException {
    Gaussian random = new Gaussian(name.hashCode());
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = low == 0 ? random.nextNormal() * 0.5f : (float) (low * random.nextDouble());
    }
    tensors.put(name, scope.allocate(DType.FLOAT32, shape).copyFrom(values));
    return files.operand(name, NpyType.FLOAT32, values, shape);
  }

  private void assertSame(Map<String, Tensor> results) throws IOException {
    for (Map.Entry<String, Tensor> result : results.entrySet()) {
      Npy array = files.read(result.getKey());
      assertArrayEquals(result.getValue().shape(), array.shape(), result.getKey());
      float[] values = result.getValue().toFloatArray();
      for (int i = 0; i < values.length; i++) {
        assertEquals(values[i], (float) array.value(i), result.getKey() + " " + i);
      }
    }
  }

  @Test
  void bothPassesOfTheGatedDeltaRule() throws IOException {
    try (Scope scope = Scope.open()) {
      List<String> line = new ArrayList<>(List.of("attend", "--json", "--op", "linear"));
      line.addAll(List.of("--causal", "--scale", "0.5", "--feature-map", "relu"));
      line.addAll(operand(scope, "query", 0, B, S, HQ, D));
      line.addAll(operand(scope, "key", 0, B, S, HK, D));
      line.addAll(operand(scope, "value", 0, B, S, HK, DV));
      line.addAll(operand(scope, "decay", -1, HK));
      line.addAll(operand(scope, "key-decay", -1, B, S, HK, D));
      line.addAll(operand(scope, "beta", 1, B, S, HK));
      line.addAll(operand(scope, "initial-state", 0, B, HK, D, DV));
      line.addAll(operand(scope, "dout", 0, B, S, HQ, DV));
      List<String> results =
          List.of(
              "out",
              "final-state",
              "dquery",
              "dkey",
              "dvalue",
              "ddecay",
              "dkey-decay",
              "dbeta",
              "dinitial-state");
      results.forEach(name -> line.addAll(files.result(name)));
      Cli cli = Cli.run(line.toArray(String[]::new));
      assertEquals(0, cli.code(), cli.err());

      LinearAttention attention =
          LinearAttention.retention().toBuilder().scale(0.5).featureMap(FeatureMap.RELU).build();
      Map<String, Tensor> expected = new LinkedHashMap<>();
      expected.put("out", scope.allocate(DType.FLOAT32, B, S, HQ, DV));
      expected.put("final-state", scope.allocate(DType.FLOAT32, B, HK, D, DV));
      for (String name : results.subList(2, results.size())) {
        expected.put(name, scope.allocate(DType.FLOAT32, tensors.get(name.substring(1)).shape()));
      }
      LinearCall call =
          attention
              .call(tensors.get("query"), tensors.get("key"), tensors.get("value"))
              .decay(tensors.get("decay"))
              .keyDecay(tensors.get("key-decay"))
              .beta(tensors.get("beta"))
              .initialState(tensors.get("initial-state"))
              .out(expected.get("out"))
              .finalState(expected.get("final-state"));
      call.run();
      LinearBackward backward =
          call.gradients(tensors.get("dout"))
              .dquery(expected.get("dquery"))
              .dkey(expected.get("dkey"))
              .dvalue(expected.get("dvalue"))
              .ddecay(expected.get("ddecay"))
              .dkeyDecay(expected.get("dkey-decay"))
              .dbeta(expected.get("dbeta"))
              .dinitialState(expected.get("dinitial-state"));
      backward.run();
      assertSame(expected);
    }
  }

  @Test
  void packedAndNormalised() throws IOException {
    try (Scope scope = Scope.open()) {
      List<String> line = new ArrayList<>(List.of("attend", "--json", "--op", "linear"));
      line.addAll(List.of("--normalised", "--feature-map", "elu-plus-one"));
      line.addAll(operand(scope, "query", 0, S, HQ, D));
      line.addAll(operand(scope, "key", 0, S, HK, D));
      line.addAll(operand(scope, "value", 0, S, HK, DV));
      line.addAll(operand(scope, "initial-sum", 1, B, HK, D));
      line.addAll(files.lengths("cu-seqlens-q", NpyType.INT32, new int[] {0, 4, 9}));
      line.addAll(files.lengths("cu-seqlens-k", NpyType.INT64, new int[] {0, 4, 9}));
      List.of("out", "final-state", "final-sum").forEach(it -> line.addAll(files.result(it)));
      Cli cli = Cli.run(line.toArray(String[]::new));
      assertEquals(0, cli.code(), cli.err());

      Map<String, Tensor> expected = new LinkedHashMap<>();
      expected.put("out", scope.allocate(DType.FLOAT32, S, HQ, DV));
      expected.put("final-state", scope.allocate(DType.FLOAT32, B, HK, D, DV));
      expected.put("final-sum", scope.allocate(DType.FLOAT32, B, HK, D));
      Tensor offsets = scope.copyOf(new int[] {0, 4, 9}, B + 1);
      LinearAttention.create()
          .call(tensors.get("query"), tensors.get("key"), tensors.get("value"))
          .initialSum(tensors.get("initial-sum"))
          .cuSeqlens(offsets, offsets, 5, 5)
          .out(expected.get("out"))
          .finalState(expected.get("final-state"))
          .finalSum(expected.get("final-sum"))
          .run();
      assertSame(expected);
    }
  }

  @Test
  void refusalsNameOptions() throws IOException {
    try (Scope scope = Scope.open()) {
      List<String> line = new ArrayList<>(List.of("attend", "--op", "linear"));
      line.addAll(operand(scope, "query", 0, B, S, HQ, D));
      line.addAll(operand(scope, "key", 0, B, S, HK, D));
      line.addAll(operand(scope, "value", 0, B, S, HK, DV));
      line.addAll(files.result("out"));
      refused(line, "--causal is top-left", "--causal", "top-left");
      refused(line, "--lse does not go with --op linear", "--lse", "x.npy");
      refused(line, "'tanh' is not identity, elu-plus-one or relu", "--feature-map", "tanh");
      line.addAll(operand(scope, "beta", 1, B, S, HK));
      refused(line, "beta needs causal");
    }
  }

  private static void refused(List<String> line, String expected, String... more) {
    List<String> all = new ArrayList<>(line);
    all.addAll(List.of(more));
    Cli cli = Cli.run(all.toArray(String[]::new));
    assertTrue(cli.code() != 0 && cli.err().contains(expected), cli.err());
  }
}
