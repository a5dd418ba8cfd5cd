package dev.fovea;

import dev.fovea.ffi.report.LoadReport;
import dev.fovea.spi.DeviceAccess;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.spi.DeviceProvider;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Where memory lies and kernels run. The CPU is always there; modules on the class path or module
 * path add others. Thread-safe.
 *
 * <p>The native library is loaded when a device first needs it. If it cannot be had, that throws a
 * {@link FoveaException} that lists every place that was tried.
 */
public final class Device {
  /** Instruction set tiers of the CPU: of x86-64 in rising order, and that of AArch64. */
  public enum Isa {
    /** Plain C++, any x86-64. */
    PORTABLE,
    /** AVX2, FMA and F16C. */
    AVX2,
    /** AVX-512 F, BW, DQ and VL. */
    AVX512,
    /**
     * The same with AVX512_BF16, whose products of bfloat16 take half the time: for these weights
     * are rounded to bfloat16, as on GPUs, and elements below the normal numbers count as 0. Slower
     * than AVX512 on processors of Intel, where it is not chosen by itself.
     */
    AVX512_BF16,
    /**
     * The same with AMX_BF16, whose tiles multiply bfloat16 eight times as fast, queries of it with
     * caches of bytes too; where the operating system lets this process use them. The first look at
     * the CPU asks it to, after which alternate signal stacks below 12 KB are refused.
     */
    AMX,
    /** Advanced SIMD of AArch64, which every one of these has: there it is the only tier. */
    NEON;

    /** The name of the device that runs its kernels. */
    public String device() {
      return "cpu:" + text();
    }

    /** As in device names and {@code -Dfovea.cpu.isa}. */
    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final Device CPU = of(new CpuBackend(null));

  static {
    DeviceAccess.leave(new DeviceAccess<>(Device::backend, Device::of));
  }

  /** What another module brings. */
  private record Other(
      Supplier<DeviceProvider> service, DeviceProvider provider, List<Device> devices) {
    static Other of(Supplier<DeviceProvider> service) {
      DeviceProvider provider = service.get();
      return new Other(service, provider, provider.devices().stream().map(Device::of).toList());
    }

    boolean mayPass() {
      return provider.reports().stream().anyMatch(LoadReport::mayPass);
    }

    Other again() {
      return mayPass() ? of(service) : this;
    }
  }

  /** What all of them bring, found when somebody first asks: looking for GPUs takes a while. */
  private static final class Others {
    private static volatile List<Other> found;

    /**
     * Not a static initializer: a broken provider is then named at every call, not at the first.
     */
    static List<Other> get() {
      List<Other> others = found;
      if (others == null || others.stream().anyMatch(Other::mayPass)) {
        synchronized (Others.class) {
          if (found == others) {
            found = others == null ? find() : others.stream().map(Other::again).toList();
          }
          others = found;
        }
      }
      return others;
    }

    private static List<Other> find() {
      return ServiceLoader.load(DeviceProvider.class, Device.class.getClassLoader()).stream()
          .map(Other::of)
          .toList();
    }
  }

  private final DeviceBackend backend;
  private final MemoryBudget budget;
  private final PlanCache plans;
  private volatile Stream stream; // null: nobody has asked for it yet

  private Device(DeviceBackend backend, MemoryBudget budget) {
    this.backend = backend;
    this.budget = budget;
    this.plans = new PlanCache(backend);
  }

  /** With the budget of its kind of memory. */
  static Device of(DeviceBackend backend) {
    Objects.requireNonNull(backend, "backend");
    return of(backend, backend.hostMemory() ? MemoryBudget.HOST : MemoryBudget.unlimited());
  }

  /** With a budget of its own. */
  static Device of(DeviceBackend backend, MemoryBudget budget) {
    return new Device(backend, budget);
  }

  /** The CPU with its best instruction set tier; {@code -Dfovea.cpu.isa=avx2} forces another. */
  public static Device cpu() {
    return CPU;
  }

  /**
   * The CPU with the kernels of one tier.
   *
   * @throws UnsupportedOperationException if this CPU lacks the tier
   * @throws FoveaException if the library cannot be loaded
   */
  public static Device cpu(Isa tier) {
    return CpuBackend.tier(Objects.requireNonNull(tier, "tier"));
  }

  /**
   * The CPU once for each tier that runs here, in rising order.
   *
   * @throws FoveaException if the library cannot be loaded
   */
  public static List<Device> cpuTiers() {
    return CpuBackend.tiers();
  }

  /** Every device that is here: the CPU first, then those of other modules. */
  public static List<Device> all() {
    List<Device> all = new ArrayList<>();
    all.add(CPU);
    Others.get().forEach(other -> all.addAll(other.devices()));
    return List.copyOf(all);
  }

  /**
   * A device by name: {@code "cpu"}, {@code "cpu:avx2"}, {@code "cuda:0"}, or {@code "cuda"} for
   * the first of a kind.
   *
   * @throws IllegalArgumentException if there is no such device
   * @throws UnsupportedOperationException if this CPU lacks the tier
   */
  public static Device byName(String name) {
    for (Isa tier : Isa.values()) {
      if (name.equals(tier.device())) {
        return cpu(tier);
      }
    }
    for (Device device : all()) {
      if (device.name().equals(name) || device.name().startsWith(name + ":")) {
        return device;
      }
    }
    String known =
        java.util.stream.Stream.concat(
                Arrays.stream(Isa.values()).map(Isa::device), all().stream().map(Device::name))
            .sorted()
            .collect(Collectors.joining(", "));
    throw new IllegalArgumentException("there is no device \"" + name + "\"; there are " + known);
  }

  /** For each library where it came from, or why it is not there. Loads what is not loaded yet. */
  public static List<LoadReport> loadReports() {
    List<LoadReport> reports = new ArrayList<>();
    reports.add(CpuBackend.loadReport());
    Others.get().forEach(other -> reports.addAll(other.provider().reports()));
    return List.copyOf(reports);
  }

  /** As {@link #byName} takes it. */
  public String name() {
    return backend.name();
  }

  /** One line for people: model, capabilities, memory. */
  public String description() {
    return backend.description();
  }

  /**
   * The device's own stream, which calls run on unless told otherwise. Not to be captured, by
   * whatever means.
   *
   * @throws UnsupportedOperationException if the device has no streams, like the CPU: its calls are
   *     done when they return
   * @throws FoveaException if the device fails
   */
  public Stream stream() {
    Stream own = stream;
    if (own == null) {
      synchronized (this) {
        own = stream;
        if (own == null) {
          own = Stream.ownOf(this);
          stream = own;
        }
      }
    }
    return own;
  }

  /**
   * Bytes of this device's memory that {@linkplain Scope scopes} hold. All devices that compute on
   * host memory have one and the same count.
   */
  public long memoryHeld() {
    return budget.held();
  }

  /**
   * Bytes that scopes may hold at most of {@link #memoryHeld this memory}; {@link Long#MAX_VALUE}
   * where nothing but the device's driver limits them.
   *
   * @throws IllegalArgumentException if {@code -Dfovea.memory.limit} is not a size
   */
  public long memoryLimit() {
    return budget.limit();
  }

  /**
   * Number of scopes of {@link #memoryHeld this memory} that are open, or over an arena that is.
   */
  public int openScopes() {
    return budget.scopes();
  }

  MemoryBudget budget() {
    return budget;
  }

  PlanCache plans() {
    return plans;
  }

  DeviceBackend backend() {
    return backend;
  }

  boolean sharesMemoryWith(Device other) {
    return backend == other.backend || (backend.hostMemory() && other.backend.hostMemory());
  }

  @Override
  public String toString() {
    return name();
  }
}
