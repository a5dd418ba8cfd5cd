package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A row that sees no key, or whose every score is -infinity, adds nothing to any gradient, whatever
 * its dout holds.
 */
class DeadRowConformanceTest {

  private static final int BATCH = 2;
  private static final int QUERIES = 70;
  private static final int KEYS = 40;
  private static final int HEADS = 2;
  private static final int KEY_HEADS = 1;
  private static final int DIM = 24;
  private static final int DISTANCES = 2 * QUERIES - 1; // there are fewer keys

  private enum Why {
    /** Bottom-right, the first queries are before every key. */
    CAUSAL,
    /** Top-left, the last queries are behind every key. */
    WINDOW,
    /** The second sequence has none. */
    NO_KEYS,
    /** Every third row has -infinity alone. */
    BIAS;

    boolean isDead(int batch, int query) {
      return switch (this) {
        case CAUSAL -> query < QUERIES - KEYS;
        case WINDOW -> query - 3 >= KEYS;
        case NO_KEYS -> batch == 1;
        case BIAS -> query % 3 == 0;
      };
    }

    Attention attention(boolean positions) {
      Attention.Builder builder = Attention.builder().positionOrigin(positions ? QUERIES - 1 : 0);
      return switch (this) {
        case CAUSAL -> builder.causal().build();
        case WINDOW -> builder.alignment(Attention.Alignment.TOP_LEFT).window(3, -1).build();
        default -> builder.build();
      };
    }

    void bind(Scope scope, TestDevice on, AttentionCall call) {
      if (this == NO_KEYS) {
        call.keyLengths(scope.copyOf(new int[] {KEYS, 0}, BATCH).on(on.device()));
      } else if (this == BIAS) {
        float[] bias = new float[QUERIES * KEYS];
        for (int n = 0; n < bias.length; n++) {
          bias[n] = isDead(0, n / KEYS) ? Float.NEGATIVE_INFINITY : n % 7 * 0.1f;
        }
        call.bias(scope.copyOf(bias, 1, 1, QUERIES, KEYS).on(on.device()));
      }
    }
  }

  private static Tensor draw(Scope scope, TestDevice on, DType type, int seed, long... shape) {
    Tensor tensor = scope.allocate(type, shape);
    float[] values = new float[(int) tensor.elements()];
    Gaussian random = new Gaussian(seed);
    for (int n = 0; n < values.length; n++) {
      values[n] = Rounding.round(type, random.nextNormal());
    }
    return tensor.copyFrom(values).on(on.device());
  }

  /** All gradients, with {@code dead} for dout of the rows that see nothing. */
  private static List<float[]> gradients(
      TestDevice on, Why why, DType type, boolean positions, boolean deterministic, float dead) {
    try (Scope scope = Scope.open()) {
      Tensor query = draw(scope, on, type, 1, BATCH, QUERIES, HEADS, DIM);
      Tensor key = draw(scope, on, type, 2, BATCH, KEYS, KEY_HEADS, DIM);
      Tensor value = draw(scope, on, type, 3, BATCH, KEYS, KEY_HEADS, DIM);
      Tensor lse = scope.allocate(DType.FLOAT32, BATCH, HEADS, QUERIES).on(on.device());
      Tensor host = draw(scope, new TestDevice("cpu"), type, 4, BATCH, QUERIES, HEADS, DIM);
      AttentionCall call = why.attention(positions).call(query, key, value).lse(lse);
      why.bind(scope, on, call);
      if (positions) {
        call.contentBias(draw(scope, on, DType.FLOAT32, 5, HEADS, DIM))
            .positionBias(draw(scope, on, DType.FLOAT32, 6, HEADS, DIM))
            .positionKeys(draw(scope, on, type, 7, DISTANCES, HEADS, DIM));
      }
      Tensor out = call.forward(scope);
      for (int b = 0; b < BATCH; b++) {
        for (int i = 0; i < QUERIES; i++) {
          if (why.isDead(b, i)) {
            host.slice(0, b, b + 1).slice(1, i, i + 1).fill(dead);
            assertEquals(0, out.getFloat(b, i, 0, 0));
          }
        }
      }
      AttentionBackward backward =
          call.gradients(host.on(on.device())).deterministic(deterministic);
      List<Tensor> others = new ArrayList<>();
      if (why == Why.BIAS) {
        others.add(scope.allocate(DType.FLOAT32, 1, 1, QUERIES, KEYS).on(on.device()));
        backward.dbias(others.getLast());
      }
      if (positions) {
        others.add(scope.allocate(DType.FLOAT32, HEADS, DIM).on(on.device()));
        backward.dcontentBias(others.getLast());
        others.add(scope.allocate(DType.FLOAT32, HEADS, DIM).on(on.device()));
        backward.dpositionBias(others.getLast());
        others.add(scope.allocate(type, DISTANCES, HEADS, DIM).on(on.device()));
        backward.dpositionKeys(others.getLast());
      }
      var all = backward.backward(scope);
      return Stream.concat(Stream.of(all.query(), all.key(), all.value()), others.stream())
          .map(Tensor::toFloatArray)
          .toList();
    }
  }

  @OnEveryDevice
  void theirGradientIsNoMatter(TestDevice on) {
    for (Why why : Why.values()) {
      for (DType type : TestDevice.TYPES) {
        List<float[]> expected = gradients(on, why, type, false, true, 0);
        for (float dead : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
          List<float[]> actual = gradients(on, why, type, false, true, dead);
          for (int n = 0; n < expected.size(); n++) {
            assertArrayEquals(expected.get(n), actual.get(n), why + ", " + type + ", " + dead);
          }
          actual = gradients(on, why, type, false, false, dead);
          for (int n = 0; n < expected.size(); n++) {
            assertArrayEquals(expected.get(n), actual.get(n), 0.02f, why + ", " + type);
          }
        }
      }
    }
  }

  @OnEveryDevice
  void theirGradientIsNoMatterToPositions(TestDevice on) {
    for (Why why : Why.values()) {
      for (DType type : TestDevice.TYPES) {
        List<float[]> expected = gradients(on, why, type, true, true, 0);
        List<float[]> actual = gradients(on, why, type, true, true, Float.NaN);
        for (int n = 0; n < expected.size(); n++) {
          assertArrayEquals(expected.get(n), actual.get(n), why + ", " + type);
        }
      }
    }
  }
}
