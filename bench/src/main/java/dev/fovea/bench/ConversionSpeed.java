package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.bench.Interleaved.Contestant;
import dev.fovea.bench.Report.Row;
import dev.fovea.testkit.Gaussian;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * Times {@link Tensor#copyFrom(Tensor)} between floating types, on one thread, of dense tensors and
 * of such whose rows lie apart. All lie in the second cache, so that what counts is not the memory.
 */
@Command(name = "bench/run conversions", mixinStandardHelpOptions = true)
public final class ConversionSpeed extends Comparison {

  static final String NANOSECONDS = "ns/element";

  private static final double TURN_SECONDS = 0.05;
  private static final double BUDGET_SECONDS = 10;
  private static final List<DType> TYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

  /** How the source lies; the copy is dense. */
  enum Source {
    DENSE("dense", 512, 128) {
      @Override
      Tensor of(Scope scope, DType dtype) {
        return scope.allocate(dtype, shape());
      }
    },
    ROWS("rows of 512 of 1536", 128, 512) {
      @Override
      Tensor of(Scope scope, DType dtype) {
        return scope.allocate(dtype, 128, 3, 512).select(1, 1);
      }
    },
    HEADS("BHSD, D 64", 4, 16, 16, 64) {
      @Override
      Tensor of(Scope scope, DType dtype) {
        return scope.allocate(dtype, 4, 16, 16, 64).transpose(1, 2);
      }
    };

    private final String text;
    private final long[] shape;

    Source(String text, long... shape) {
      this.text = text;
      this.shape = shape;
    }

    long[] shape() {
      return shape.clone();
    }

    abstract Tensor of(Scope scope, DType dtype);
  }

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new ConversionSpeed()).execute(args));
  }

  @Override
  String benchmark() {
    return "conversions";
  }

  @Override
  Report measure() throws Exception {
    Report report = Report.begin(benchmark(), Map.of("fovea", foveaVersion()));
    for (Source source : Source.values()) {
      report.rows().addAll(measure(source, rounds, TURN_SECONDS));
    }
    return report;
  }

  /** All pairs of types, in turns. */
  static List<Row> measure(Source source, int rounds, double turnSeconds) throws Exception {
    try (Scope scope = Scope.open()) {
      List<Contestant> contestants = new ArrayList<>();
      for (DType type : TYPES) {
        for (DType other : TYPES) {
          Tensor from = source.of(scope, type);
          Tensor to = scope.allocate(other, source.shape());
          fill(from);
          to.copyFrom(from);
          verify(from, to);
          contestants.add(new Contestant(type + " to " + other, () -> to.copyFrom(from)));
        }
      }
      // Once for the compiler, which is not done after one copy of each.
      Interleaved.run(contestants, new Interleaved.Settings(3, turnSeconds, BUDGET_SECONDS));
      Rounds measured =
          Interleaved.run(
              contestants, new Interleaved.Settings(rounds, turnSeconds, BUDGET_SECONDS));
      double elements = source.of(scope, DType.FLOAT32).elements();
      List<Row> rows = new ArrayList<>();
      for (Contestant contestant : contestants) {
        String name = contestant.name();
        double nanoseconds = measured.median(name) * 1e9 / elements;
        Map<String, String> parameters = new LinkedHashMap<>();
        parameters.put("types", name);
        parameters.put("source", source.text);
        parameters.put("shape", name + ", " + source.text); // by which a target names it
        Row row = Row.of(parameters);
        row.figure(NANOSECONDS, nanoseconds);
        row.rounds().put(name, measured.count(name));
        rows.add(row);
        System.out.printf("%-22s %-20s %6.3f ns/element%n", name, source.text, nanoseconds);
      }
      return rows;
    }
  }

  private static void fill(Tensor tensor) {
    Gaussian random = new Gaussian(1);
    float[] values = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    tensor.copyFrom(values);
  }

  /** Element by element: what the whole must be. */
  private static void verify(Tensor from, Tensor to) {
    try (Scope scope = Scope.open()) {
      Tensor one = scope.allocate(to.dtype(), 1);
      long[] shape = from.shape();
      long[] index = new long[shape.length];
      for (long i = 0; i < from.elements(); i++) {
        long rest = i;
        for (int dim = shape.length - 1; dim >= 0; dim--) {
          index[dim] = rest % shape[dim];
          rest /= shape[dim];
        }
        one.setFloat(from.getFloat(index), 0);
        if (one.getFloat(0) != to.getFloat(index)) {
          throw new WrongOutputException(
              "%s became %s".formatted(from.getFloat(index), to.getFloat(index)));
        }
      }
    }
  }
}
