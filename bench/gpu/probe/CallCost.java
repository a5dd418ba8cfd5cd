package dev.fovea.probe;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Event;
import dev.fovea.Graph;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.Random;

/**
 * What a call from Java costs beside its kernel: the wall time until its event has happened, the
 * time until {@code run} returns, and the kernel's own time by events; the same launched from a
 * graph. Before that, plain runs, runs on a second stream and a graph's must give the same bits.
 *
 * <p>Prints one JSON object for each shape. Exits with 0 if no check failed, 1 if one did.
 */
public final class CallCost {
  private static final int WARM_UPS = 50;
  private static final int ROUNDS = 300;
  private static final int HEAD_DIM = 128;

  /** Self-attention in bfloat16; with one key its result is that key's value. */
  private record Shape(String name, long batch, long length, long heads) {
    long[] sizes() {
      return new long[] {batch, length, heads, HEAD_DIM};
    }

    int elements() {
      return Math.toIntExact(batch * length * heads * HEAD_DIM);
    }
  }

  private static final Shape[] SHAPES = {
    new Shape("one key", 1, 1, 1),
    new Shape("1 x 2048 x 16", 1, 2048, 16),
    new Shape("2 x 8192 x 16", 2, 8192, 16),
  };

  private CallCost() {}

  public static void main(String[] arguments) {
    if (arguments.length != 1) {
      System.err.println("usage: CallCost DEVICE");
      System.exit(2);
    }
    Device device = Device.byName(arguments[0]);
    boolean failed = false;
    for (Shape shape : SHAPES) {
      Json result = Json.object().put("case", shape.name()).put("device", device.description());
      try {
        measure(shape, device, result);
        result.put("status", "measured");
      } catch (RuntimeException e) {
        failed = true;
        result.put("status", "failed").put("reason", e.toString());
      }
      result.print();
    }
    System.exit(failed ? 1 : 0);
  }

  private static void measure(Shape shape, Device device, Json result) {
    try (Scope scope = Scope.open(device);
        Stream stream = Stream.open(device);
        Stream other = Stream.open(device)) {
      Random random = new Random(1);
      Tensor query = operand(scope, shape, random);
      Tensor key = operand(scope, shape, random);
      Tensor value = operand(scope, shape, random);
      Tensor out = scope.allocate(DType.BFLOAT16, shape.sizes());
      AttentionCall call = Attention.create().call(query, key, value).out(out).stream(stream);
      float[] plain = outputOf(out, stream, call::run);
      if (shape.length() == 1) {
        requireSame("the value of the one key", value.toFloatArray(), plain);
      }
      AttentionCall second = Attention.create().call(query, key, value).out(out).stream(other);
      requireSame("a second stream", plain, outputOf(out, other, second::run));
      try (Graph graph = stream.capture(call::run)) {
        Runnable launch = () -> graph.launch(stream);
        requireSame("a graph", plain, outputOf(out, stream, launch));
        times("call", stream, call::run, result);
        times("graph", stream, launch, result);
      }
      result.put("kernel", call.plan().kernel()).put("rounds", ROUNDS);
    }
  }

  private static Tensor operand(Scope scope, Shape shape, Random random) {
    float[] values = new float[shape.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return scope.allocate(DType.BFLOAT16, shape.sizes()).copyFrom(values);
  }

  private static float[] outputOf(Tensor out, Stream stream, Runnable work) {
    out.fill(Float.NaN);
    work.run();
    stream.synchronize();
    float[] values = out.toFloatArray();
    for (float value : values) {
      if (Float.isNaN(value)) {
        throw new IllegalStateException("an output is NaN, or was not written");
      }
    }
    return values;
  }

  private static void requireSame(String what, float[] expected, float[] actual) {
    int at = Arrays.mismatch(expected, actual);
    if (at >= 0) {
      throw new IllegalStateException(
          "%s gave %s, expected %s, in element %d".formatted(what, actual[at], expected[at], at));
    }
  }

  /** Medians in microseconds; the device is idle when a round begins. */
  private static void times(String what, Stream stream, Runnable work, Json result) {
    double[] returned = new double[ROUNDS];
    double[] wall = new double[ROUNDS];
    double[] kernel = new double[ROUNDS];
    for (int round = -WARM_UPS; round < ROUNDS; round++) {
      long start = System.nanoTime();
      work.run();
      long queued = System.nanoTime();
      try (Event end = stream.record()) {
        end.synchronize();
      }
      long done = System.nanoTime();
      try (Event before = stream.record()) {
        work.run();
        try (Event after = stream.record()) {
          after.synchronize();
          if (round >= 0) {
            returned[round] = 1e-3 * (queued - start);
            wall[round] = 1e-3 * (done - start);
            kernel[round] = 1e3 * after.millisecondsSince(before);
          }
        }
      }
    }
    result
        .put(what + "_returns_us", median(returned))
        .put(what + "_wall_us", median(wall))
        .put(what + "_kernel_us", median(kernel));
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return (values[(values.length - 1) / 2] + values[values.length / 2]) / 2;
  }
}
