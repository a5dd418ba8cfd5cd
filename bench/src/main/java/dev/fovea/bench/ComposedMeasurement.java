package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * One composed problem after another: verifies both sides' outputs, weighs their memory, times them
 * against each other and against the floor.
 */
final class ComposedMeasurement {

  static final String MEMORY = "libtorch memory";
  static final String FLOOR = "floor";
  static final String MILLISECONDS = " ms";
  static final String MEBIBYTES = " MiB";
  static final String UNIT = "unit";
  static final String UNITS_A_SECOND = "G units/s";
  static final String UNITS_A_CYCLE = "units/cycle";

  private final int threads;
  private final Settings settings;
  private final boolean beside;
  private final Map<MachineUnit, Ceiling> ceilings = new EnumMap<>(MachineUnit.class);

  /**
   * A measurement with {@code threads} threads on each side.
   *
   * @param beside libtorch; else that is left out
   */
  ComposedMeasurement(int threads, Settings settings, boolean beside) {
    this.threads = threads;
    this.settings = settings;
    this.beside = beside;
    ReadPeak.of(threads);
    for (MachineUnit unit : MachineUnit.values()) {
      ceilings.put(unit, new Ceiling(unit));
    }
  }

  /** Measures one problem. */
  Row measure(ComposedProblem problem) throws Exception {
    boolean narrow = problem.dtype() != DType.FLOAT32;
    MachineUnit.CYCLE.warmUp();
    problem.floor().work().keySet().forEach(MachineUnit::warmUp);
    CopyPeak.of(problem.floor().work().getOrDefault(MachineUnit.BYTE, 0.0));
    ceilings.put(MachineUnit.BYTE, new Ceiling(MachineUnit.BYTE)); // of copies of that size
    try (ComposedSide<?> ours = problem.open();
        ComposedSide<?> float32 = narrow ? problem.as(DType.FLOAT32).open() : null;
        ComposedCall theirs = beside ? new ComposedCall(ours) : null) {
      Row row = Row.of(parameters(problem, ours));
      Race race = new Race(row, ours, threads);
      double bytes = ours.bytes(threads);
      row.figure(Race.FOVEA + MEBIBYTES, bytes / (1 << 20));
      if (theirs != null) {
        double difference = Agreement.check(ours, Race.LIBTORCH, theirs.results());
        race.addPeer(Race.LIBTORCH, row, difference, theirs::run);
        theirs
            .peakBytes()
            .ifPresent(
                peak -> {
                  row.figure(Race.LIBTORCH + MEBIBYTES, (double) peak / (1 << 20));
                  row.ratio(MEMORY, peak / bytes);
                });
      }
      race.addOurOthers(float32);
      for (MachineUnit unit : problem.floor().work().keySet()) {
        race.add(unit.text(), unit::run);
      }
      race.add(MachineUnit.CYCLE.text(), MachineUnit.CYCLE::run);
      Rounds measured = race.run(settings);
      fill(row, measured);
      holdToFloor(row, problem, measured);
      return row;
    }
  }

  private Map<String, String> parameters(ComposedProblem problem, ComposedSide<?> ours) {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("pass", problem.pass().toString());
    parameters.put("dtype", problem.dtype().name().toLowerCase(Locale.ROOT));
    parameters.put("shape", problem.shape());
    parameters.put("threads", String.valueOf(threads));
    parameters.put("kernel", ours.plan().kernel());
    parameters.put(UNIT, problem.floor().unit());
    return parameters;
  }

  private static void fill(Row row, Rounds measured) {
    for (String name : measured.names()) {
      row.rounds().put(name, measured.count(name));
      if (isUnit(name)) {
        continue;
      }
      row.figure(name + MILLISECONDS, measured.median(name) * 1e3);
      if (!name.equals(Race.FOVEA)) {
        row.compare(name, measured, Race.FOVEA, name, 1);
      }
    }
  }

  private static boolean isUnit(String contestant) {
    for (MachineUnit unit : MachineUnit.values()) {
      if (contestant.equals(unit.text())) {
        return true;
      }
    }
    return false;
  }

  private void holdToFloor(Row row, ComposedProblem problem, Rounds measured) {
    Floor floor = problem.floor();
    double count = floor.count();
    row.figure(UNITS_A_SECOND, count / measured.median(Race.FOVEA) * 1e-9);
    MachineUnit cycle = MachineUnit.CYCLE;
    double aCycle = count / threads / cycle.work() * measured.timesFaster(Race.FOVEA, cycle.text());
    row.figure(UNITS_A_CYCLE, aCycle);
    row.figure("GHz", cycle.work() / measured.fastest(cycle.text()) * 1e-9);
    double highest = 0;
    for (Map.Entry<MachineUnit, Double> entry : floor.work().entrySet()) {
      MachineUnit unit = entry.getKey();
      Ceiling ceiling = ceilings.get(unit);
      ceiling.saw(unit.work() / measured.fastest(unit.text()));
      double perSecond = entry.getValue() / measured.fastest(Race.FOVEA);
      double factor = unit == MachineUnit.BYTE ? CopyPeak.STREAMING : 1;
      ceiling.check(problem.toString(), perSecond, threads, factor);
      double work = entry.getValue() / threads / unit.work();
      double part = work * measured.timesFaster(Race.FOVEA, unit.text());
      if (part > highest) {
        highest = part;
        row.compare(FLOOR, measured, Race.FOVEA, unit.text(), work);
        row.parameters().put("held by", unit.text());
      }
    }
  }
}
