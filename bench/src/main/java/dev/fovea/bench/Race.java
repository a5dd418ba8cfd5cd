package dev.fovea.bench;

import dev.fovea.bench.Interleaved.Contestant;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Interleaved.Work;
import dev.fovea.bench.Report.Row;
import java.util.ArrayList;
import java.util.List;

/**
 * Fovea's side of a problem against others: verified before it is timed, and not a bit of its
 * outputs may change meanwhile.
 */
final class Race {

  static final String FOVEA = "fovea";
  static final String FLOAT32 = "fovea float32";
  static final String ONE_THREAD = "fovea one thread";
  static final String LIBTORCH = "libtorch";
  static final String PYTORCH = "pytorch";

  private static final long QUIET_MILLIS = 80;

  private final FoveaSide<?> ours;
  private final int threads;
  private final List<FoveaSide<?>> verified = new ArrayList<>();
  private final List<Contestant> contestants = new ArrayList<>();

  /** Verifies {@code ours} into {@code row}, with {@code threads} threads on each side. */
  Race(Row row, FoveaSide<?> ours, int threads) {
    this.ours = ours;
    this.threads = threads;
    row.check("error, of allowed", addVerified(FOVEA, ours));
  }

  private double addVerified(String name, FoveaSide<?> side) {
    Runnable work = side.work(threads);
    double error = side.verify(work);
    verified.add(side);
    add(name, work::run);
    return error;
  }

  /** Adds a contestant that leaves no spinning threads behind. */
  void add(String name, Work work) {
    contestants.add(new Contestant(name, work));
  }

  /** Adds a peer with threads of OpenMP, whose results {@code row} says the difference to. */
  void addPeer(String name, Row row, double difference, Work work) {
    row.check("rms difference to " + name, difference);
    addSpinning(name, work);
  }

  /** Adds a contestant with threads of OpenMP. */
  void addSpinning(String name, Work work) {
    contestants.add(new Contestant(name, work, threads > 1 ? QUIET_MILLIS : 0));
  }

  /** Adds Fovea in float32, if {@code float32} is not null, and on one thread, if that is less. */
  void addOurOthers(FoveaSide<?> float32) {
    if (float32 != null) {
      addVerified(FLOAT32, float32);
    }
    if (threads > 1) {
      add(ONE_THREAD, ours.work(1)::run);
    }
  }

  /** Times all of them in turns. */
  Rounds run(Settings settings) throws Exception {
    Rounds measured = Interleaved.run(contestants, settings);
    verified.forEach(FoveaSide::verifyUnchanged);
    return measured;
  }
}
