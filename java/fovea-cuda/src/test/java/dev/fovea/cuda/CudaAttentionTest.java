package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.attention.AttentionCase;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.CaseGenerator;
import dev.fovea.testkit.attention.CaseRun;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention from memory of a device to memory of a device, against the float64 oracle. */
class CudaAttentionTest {
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void itIsWhatTheOracleSays(DType type) {
    AttentionCase c =
        new CaseBuilder()
            .dtype(type)
            .lengths(2, 37, 81)
            .heads(4, 2)
            .headDim(64)
            .causal()
            .outputs(true, false)
            .build();
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, Precision.of(Samples.FIRST.name()));
    for (Device device : List.of(Samples.FIRST, Samples.SECOND)) {
      try (Scope scope = Scope.open(device);
          Scope host = Scope.open()) {
        Tensor query = scope.allocate(type, 2, 37, 4, 64).copyFrom(data.query());
        Tensor key = scope.allocate(type, 2, 81, 2, 64).copyFrom(data.key());
        Tensor value = scope.allocate(type, 2, 81, 2, 64).copyFrom(data.value());
        Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 37);
        Tensor out = CaseRun.spec(c).call(query, key, value).lse(lse).forward(scope);
        Tensor outHere = host.allocate(type, out.shape()).copyFrom(out);
        Tensor lseHere = host.allocate(DType.FLOAT32, lse.shape()).copyFrom(lse);
        assertNull(Comparison.compare("out", outHere.segment(), expected.out()));
        assertNull(Comparison.compare("lse", lseHere.segment(), expected.lse()));
      }
    }
  }

  /** Of every feature, in buffers of the device between canaries. */
  @Test
  void randomCasesPass() {
    for (int i = 0; i < 40; i++) {
      AttentionCase c = CaseGenerator.generate(11, i, Limits.SIM);
      assertNull(c.check(Samples.FIRST).wrong(), c::toString);
    }
  }

  /** Requests of their own, as a server has them: the same bits as alone. */
  @Test
  void manyThreadsComputeInTheirOwnStreams() throws Exception {
    Attention attention = Attention.builder().causal().build();
    float[] values = Samples.random(33 * 32, 5);
    float[] expected;
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Tensor tensor = scope.copyOf(values, 1, 33, 1, 32);
      expected = attention.forward(scope, tensor, tensor, tensor).toFloatArray();
    }
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<float[]>> results = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        boolean shared = i % 2 == 0;
        results.add(
            threads.submit(
                () -> {
                  try (Stream stream = Stream.open(Samples.FIRST);
                      Scope scope = Scope.open(Samples.FIRST)) {
                    Tensor tensor = scope.copyOf(values, 1, 33, 1, 32);
                    AttentionCall call = attention.call(tensor, tensor, tensor).stream(stream);
                    return (shared
                            ? attention.forward(scope, tensor, tensor, tensor)
                            : call.forward(scope))
                        .toFloatArray();
                  }
                }));
      }
      for (Future<float[]> result : results) {
        assertArrayEquals(expected, result.get());
      }
    }
  }
}
