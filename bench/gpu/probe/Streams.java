package dev.fovea.probe;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Graph;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.Random;

/**
 * Attention on two streams at once, and replayed from a graph whose inputs have changed since it
 * was captured, must give the bits of a plain call. Random shapes, one for each seed.
 *
 * <p>Prints one JSON object. Exits with 0 if all seeds are right, 1 if one is wrong.
 */
public final class Streams {
  private static final int TURNS = 4; // of each stream, so that their work overlaps
  private static final DType[] TYPES = {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16};

  private final Scope scope;
  private final Random random;
  private final DType type;
  private final long[] shape;
  private final Attention attention;

  private Streams(Scope scope, long seed) {
    this.scope = scope;
    random = new Random(seed);
    type = TYPES[random.nextInt(TYPES.length)];
    shape =
        new long[] {1 + random.nextInt(3), 1 + random.nextInt(300), 4, 8 + 8 * random.nextInt(16)};
    attention = random.nextBoolean() ? Attention.builder().causal().build() : Attention.create();
  }

  public static void main(String[] arguments) {
    if (arguments.length != 3) {
      System.err.println("usage: Streams DEVICE FIRST_SEED COUNT");
      System.exit(2);
    }
    Device device = Device.byName(arguments[0]);
    long first = Long.parseLong(arguments[1]);
    int count = Integer.parseInt(arguments[2]);
    Json result = Json.object().put("case", "streams and graphs").put("device", device.name());
    long seed = first;
    try {
      for (; seed < first + count; seed++) {
        try (Scope scope = Scope.open(device)) {
          new Streams(scope, seed).check(device);
        }
      }
      result.put("status", "passed").put("seeds", count).print();
    } catch (RuntimeException e) {
      result.put("status", "failed").put("seed", seed).put("reason", e.toString()).print();
      System.exit(1);
    }
  }

  private void check(Device device) {
    Tensor query = operand();
    Tensor key = operand();
    Tensor value = operand();
    Tensor one = operand();
    Tensor other = operand();
    try (Stream first = Stream.open(device);
        Stream second = Stream.open(device)) {
      // The two share their inputs, and nothing that is written.
      AttentionCall here = attention.call(query, key, value).out(one).stream(first);
      AttentionCall there = attention.call(key, query, value).out(other).stream(second);
      final float[] expectedHere = plain(query, key, value);
      final float[] expectedThere = plain(key, query, value);
      one.fill(Float.NaN);
      other.fill(Float.NaN);
      for (int turn = 0; turn < TURNS; turn++) {
        here.run();
        there.run();
      }
      requireSame("the first stream", expectedHere, one);
      requireSame("the second stream", expectedThere, other);

      try (Graph graph = first.capture(here::run)) {
        query.copyFrom(values());
        one.fill(Float.NaN);
        graph.launch(first);
        requireSame("a graph", plain(query, key, value), one);
      }
    }
  }

  /** On the device's own stream, into memory of its own. */
  private float[] plain(Tensor query, Tensor key, Tensor value) {
    return attention.forward(scope, query, key, value).toFloatArray();
  }

  private void requireSame(String what, float[] expected, Tensor actual) {
    float[] values = actual.toFloatArray();
    int at = Arrays.mismatch(expected, values);
    if (at >= 0 || Float.isNaN(expected[0])) {
      int shown = Math.max(at, 0);
      throw new IllegalStateException(
          "%s gave %s, a plain call %s, in element %d of %s %s"
              .formatted(
                  what, values[shown], expected[shown], shown, type, Arrays.toString(shape)));
    }
  }

  private Tensor operand() {
    return scope.allocate(type, shape).copyFrom(values());
  }

  private float[] values() {
    float[] values = new float[Math.toIntExact(Arrays.stream(shape).reduce(1, (a, b) -> a * b))];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
