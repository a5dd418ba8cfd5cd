package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * What a device can do of an operation, found out by asking its planner: a small plain case of each
 * element type and pass, every feature of the declaration on top of it, and how large sizes may be.
 */
@SuppressWarnings("exports") // operations are for modules of Fovea
public final class FeatureSurvey {

  /** Element types of the first operand, whatever the operation. */
  public static final List<DType> TYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

  /** That of queries, for which there are features of its own; the others are not asked again. */
  private static final DType OF_QUERIES = DType.FLOAT8_E4M3;

  /** How planners begin to say so. */
  private static final String OTHER_TYPE = ", but dtype is ";

  /**
   * What a planner said.
   *
   * @param feature null for the plain case
   * @param with other features, without which there is no such plan
   * @param kernel that would run; null for a refusal
   * @param refusal of the feature alone; null if it is planned
   */
  public record Answer(
      DType dtype, Pass pass, String feature, List<String> with, String kernel, String refusal) {

    /** Whether there is a plan. */
    public boolean isPlanned() {
      return kernel != null;
    }
  }

  /** The largest {@code size} that is planned: a larger one is refused. */
  public record Limit(DType dtype, Pass pass, String size, long most) {}

  /** What a planner gave. */
  private record Plan(int status, String kernel, String error) {
    boolean isThere() {
      return status == Abi.OK;
    }
  }

  // Sizes above this are asked for no limit: what is bound by memory alone goes beyond.
  private static final long LARGE = 1 << 17;

  // Of what only operands have that may be absent, where the usual one is none for them: a power of
  // two, and few.
  private static final long[] OTHER_SIZES = {8, 1};

  private final NativeOperation operation;
  private final DeviceBackend backend;
  private final ProbeSpec plain;
  private final List<ProbeSpec.Feature> features;
  private final List<ProbeSpec.Feature> ofQueries; // those of OF_QUERIES alone

  /** Element types that the first operand of an operation may be of. */
  public static List<DType> types(NativeOperation operation) {
    boolean ofQueries = operation.operands(Abi.FORWARD).getFirst().type() == Operand.Type.QUERY;
    return ofQueries ? Stream.concat(TYPES.stream(), Stream.of(OF_QUERIES)).toList() : TYPES;
  }

  /** Of an operation on a device. */
  public FeatureSurvey(NativeOperation operation, Device device) {
    this(operation, Devices.backend(device));
  }

  /** Also of a device that is not here. */
  FeatureSurvey(NativeOperation operation, DeviceBackend backend) {
    this.operation = operation;
    this.backend = backend;
    // What a case of an operation looks like does not depend on where it is planned.
    DeviceBackend reference = Devices.backend(Device.cpu());
    plain =
        ProbeSpec.plain(operation)
            .filter(it -> plan(reference, it, Pass.FORWARD, DType.FLOAT32).isThere())
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no plain " + operation + " is planned"));
    features =
        ProbeSpec.features(operation).stream().filter(it -> isDeclared(reference, it)).toList();
    ofQueries =
        features.stream().filter(it -> planned(reference, it).error.contains(OTHER_TYPE)).toList();
  }

  private Plan planned(DeviceBackend reference, ProbeSpec.Feature feature) {
    return plan(reference, plain.with(feature), feature.passes().getFirst(), DType.FLOAT32);
  }

  /** False for a number beyond those that an option may be. */
  private boolean isDeclared(DeviceBackend reference, ProbeSpec.Feature feature) {
    return !feature.isChoice() || planned(reference, feature).status != Abi.INVALID_ARGUMENT;
  }

  /** Names of features, in the order of the declaration. */
  public List<String> features() {
    return features.stream().map(ProbeSpec.Feature::name).toList();
  }

  /** The plain cases, and every feature of those that are planned. */
  public List<Answer> answers() {
    List<Answer> answers = new ArrayList<>();
    for (DType dtype : types(operation)) {
      for (Pass pass : Pass.of(operation)) {
        Plan plan = plan(backend, plain, pass, dtype);
        answers.add(answer(dtype, pass, null, List.of(), plan));
        if (plan.isThere()) {
          features.stream()
              .filter(it -> it.passes().contains(pass))
              .filter(it -> ofQueries.contains(it) == (dtype == OF_QUERIES))
              .map(it -> ask(dtype, pass, it))
              .forEach(answers::add);
        }
      }
    }
    return answers;
  }

  /** Alone, or else with what refusals name, and if need be with one other and what they name. */
  private Answer ask(DType dtype, Pass pass, ProbeSpec.Feature feature) {
    Found alone = plan(dtype, pass, List.of(feature));
    if (alone.plan.isThere()) {
      return answer(dtype, pass, feature, alone);
    }
    for (ProbeSpec.Feature other : features) {
      if (!alone.features.contains(other) && other.passes().contains(pass)) {
        List<ProbeSpec.Feature> more = new ArrayList<>(alone.features);
        more.add(other);
        Found together = plan(dtype, pass, more);
        if (together.plan.isThere()) {
          return answer(dtype, pass, feature, together);
        }
      }
    }
    return answer(dtype, pass, feature, List.of(), alone.first);
  }

  /** What was asked for in the end, with what it came to, and to what at first. */
  private record Found(List<ProbeSpec.Feature> features, Plan first, Plan plan) {}

  /** With those features, and others that refusals name, and such sizes as all of them take. */
  private Found plan(DType dtype, Pass pass, List<ProbeSpec.Feature> asked) {
    Found found = plan(plain, dtype, pass, asked);
    for (long size : OTHER_SIZES) {
      if (!found.plan.isThere()) {
        Found other = plan(plain.withOptional(size), dtype, pass, asked);
        found = other.plan.isThere() ? new Found(other.features, found.first, other.plan) : found;
      }
    }
    return found;
  }

  private Found plan(ProbeSpec from, DType dtype, Pass pass, List<ProbeSpec.Feature> asked) {
    List<ProbeSpec.Feature> all = new ArrayList<>(asked);
    ProbeSpec spec = from;
    for (ProbeSpec.Feature it : asked) {
      spec = spec.with(it);
    }
    Plan first = plan(backend, spec, pass, dtype);
    Plan last = first;
    while (!last.isThere()) {
      String refusal = last.error;
      Optional<ProbeSpec.Feature> missing =
          features.stream()
              .filter(it -> it.passes().contains(pass) && !all.contains(it))
              .filter(it -> refusal.endsWith(" is given without " + it.name()))
              .findFirst();
      if (missing.isEmpty()) {
        break;
      }
      all.add(missing.get());
      spec = spec.with(missing.get());
      last = plan(backend, spec, pass, dtype);
    }
    return new Found(all, first, last);
  }

  private static Answer answer(DType dtype, Pass pass, ProbeSpec.Feature feature, Found found) {
    List<String> with = found.features.stream().skip(1).map(ProbeSpec.Feature::name).toList();
    return answer(dtype, pass, feature, with, found.plan);
  }

  private static Answer answer(
      DType dtype, Pass pass, ProbeSpec.Feature feature, List<String> with, Plan plan) {
    return new Answer(
        dtype,
        pass,
        feature == null ? null : feature.name(),
        with,
        plan.isThere() ? plan.kernel : null,
        plan.isThere() ? null : plan.error);
  }

  /** Of sizes that have one, by themselves: the others are small. */
  public List<Limit> limits() {
    List<Limit> limits = new ArrayList<>();
    Set<String> optional = plain.absentSizes();
    for (Operand.Size size : operation.sizes()) {
      for (DType dtype : TYPES) {
        for (Pass pass : Pass.of(operation)) {
          if (!optional.contains(size.name()) && plan(backend, plain, pass, dtype).isThere()) {
            long most = most(size, pass, dtype);
            if (most < LARGE) {
              limits.add(new Limit(dtype, pass, size.name(), most));
            }
          }
        }
      }
    }
    return limits;
  }

  /** {@link #LARGE} where there is no limit. */
  private long most(Operand.Size size, Pass pass, DType dtype) {
    if (isPlanned(size, LARGE, pass, dtype)) {
      return LARGE;
    }
    long low = plain.size(size);
    long high = LARGE;
    while (high - low > 1) {
      long middle = (low + high) / 2;
      if (isPlanned(size, middle, pass, dtype)) {
        low = middle;
      } else {
        high = middle;
      }
    }
    long near = low;
    return LongStream.of(near, near - 1, near - 2)
        .filter(it -> plan(backend, plain.with(size, it), pass, dtype).isThere())
        .findFirst()
        .orElse(near);
  }

  /**
   * A size may have to be odd, or a multiple of another's three; and what goes with another that is
   * as large has no limit of its own.
   */
  private boolean isPlanned(Operand.Size size, long value, Pass pass, DType dtype) {
    return LongStream.rangeClosed(value - 2, value)
            .anyMatch(it -> plan(backend, plain.with(size, it), pass, dtype).isThere())
        || operation.sizes().stream()
            .map(other -> plain.with(size, value).with(other, value))
            .anyMatch(it -> plan(backend, it, pass, dtype).isThere());
  }

  private Plan plan(DeviceBackend backend, ProbeSpec spec, Pass pass, DType dtype) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment plan = FoveaPlan.allocate(arena);
      MemorySegment block = spec.block(arena, pass, dtype);
      int status = backend.library().plan(operation, block, backend.info(), plan);
      return new Plan(status, FoveaPlan.KERNEL.get(plan), FoveaPlan.ERROR.get(plan));
    }
  }
}
