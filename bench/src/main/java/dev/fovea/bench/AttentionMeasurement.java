package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import java.util.LinkedHashMap;
import java.util.Map;

/** One problem after another: verifies every side's output, times the sides against each other. */
final class AttentionMeasurement {

  static final String LIBTORCH_KERNEL = "libtorch kernel";
  static final String PYTORCH_KERNEL = "pytorch kernel";
  static final String SGEMM = "sgemm";
  static final String PRODUCT = "bfloat16 product";
  static final String PEAK = "peak";

  private final int threads;
  private final Settings settings;
  private final Libtorch libtorch;
  private final PyTorch pytorch;
  private final BfloatProduct product;
  private final Sgemm sgemm;
  private final Ceiling ceiling;

  /**
   * A measurement with {@code threads} threads on each side.
   *
   * @param libtorch a peer; null leaves it out
   * @param pytorch another; null leaves it out
   */
  AttentionMeasurement(
      int threads,
      Settings settings,
      Libtorch libtorch,
      PyTorch pytorch,
      Sgemm sgemm,
      Ceiling ceiling) {
    this.threads = threads;
    this.settings = settings;
    this.libtorch = libtorch;
    this.pytorch = pytorch;
    product = libtorch != null && BfloatProduct.isThere() ? new BfloatProduct(Sgemm.SIZE) : null;
    this.sgemm = sgemm;
    this.ceiling = ceiling;
  }

  /** Measures one problem. */
  Row measure(AttentionProblem problem) throws Exception {
    boolean narrow = problem.dtype() != DType.FLOAT32;
    try (FoveaAttention ours = FoveaAttention.of(problem);
        FoveaAttention float32 = narrow ? FoveaAttention.of(problem.as(DType.FLOAT32)) : null;
        Libtorch.Call theirs = libtorch == null ? null : libtorch.call(ours)) {
      Row row = Row.of(parameters(problem, ours));
      Race race = new Race(row, ours, threads);
      if (theirs != null) {
        row.parameters().put(LIBTORCH_KERNEL, theirs.kernel().toString());
        double difference = Agreement.check(ours, Race.LIBTORCH, theirs.results());
        race.addPeer(Race.LIBTORCH, row, difference, theirs::run);
      }
      if (pytorch != null) {
        PyTorch.Call call = pytorch.call(ours);
        row.parameters().put(PYTORCH_KERNEL, call.kernel());
        double difference = Agreement.check(ours, Race.PYTORCH, call.results());
        race.addPeer(Race.PYTORCH, row, difference, call);
      }
      if (product != null && problem.dtype() == DType.BFLOAT16) {
        race.addSpinning(PRODUCT, product::run);
      }
      race.add(SGEMM, sgemm::run);
      race.addOurOthers(float32);
      race.add(PEAK, FmaPeak::run);
      fill(row, problem, race.run(settings));
      return row;
    }
  }

  private Map<String, String> parameters(AttentionProblem problem, FoveaAttention ours) {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("dtype", problem.dtypeName());
    parameters.put("order", problem.order().name());
    parameters.put("sequence", String.valueOf(problem.sequence()));
    parameters.put("heads", String.valueOf(problem.heads()));
    parameters.put("headDim", String.valueOf(problem.headDim()));
    parameters.put("mask", problem.mask());
    parameters.put("threads", String.valueOf(threads));
    parameters.put("kernel", ours.plan().kernel());
    return parameters;
  }

  private void fill(Row row, AttentionProblem problem, Rounds measured) {
    ceiling.saw(FmaPeak.flops() / measured.fastest(PEAK));
    for (String name : measured.names()) {
      row.rounds().put(name, measured.count(name));
      row.figure(name + " GFLOP/s", flops(name, problem) / measured.median(name) * 1e-9);
      if (!name.equals(PEAK)) {
        int cores = name.equals(Race.ONE_THREAD) ? 1 : threads;
        // Of 16-bit types both may take a unit for them.
        boolean narrow = !name.equals(SGEMM) && problem.dtype() != DType.FLOAT32;
        ceiling.check(
            name + ", " + problem,
            flops(name, problem) / measured.fastest(name),
            cores,
            narrow ? Machine.sixteenBitFactor() : 1);
      }
      if (!name.equals(Race.FOVEA)) {
        double work = flops(Race.FOVEA, problem) / flops(name, problem);
        if (name.equals(PEAK)) {
          work /= threads; // measured on one core: the peak of all is so much higher
        }
        row.compare(name, measured, Race.FOVEA, name, work);
      }
    }
  }

  private double flops(String name, AttentionProblem problem) {
    return switch (name) {
      case SGEMM -> sgemm.flops();
      case PRODUCT -> product.flops();
      case PEAK -> FmaPeak.flops();
      default -> problem.flops();
    };
  }
}
