package dev.fovea.bench;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.bench.SupportFeature.Question;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Pass;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What is supported, found out by asking the planners: every feature alone, and every two of them
 * together, forward and backward, for each instruction set tier of the CPU and for a GPU, whether
 * this machine has them or not. What a column has been checked with is in {@code
 * check-BACKEND-OPERATION-PASS.json}, the JSON of {@code fovea check}, beside the other results;
 * without that file it says "not run". Kernels for a GPU are "simulated only" until there is such a
 * file from a GPU.
 */
final class SupportTable {

  /** A device to plan for, and what the files of its checks are called: the first that is there. */
  private record Column(
      String name, NativeLibrary library, MemorySegment device, List<String> backends) {}

  private static final String SIMULATOR = "sim";

  private final Path results;
  private final List<SupportFeature> features = SupportFeature.all();
  private final List<Column> columns = new ArrayList<>();

  private SupportTable(Path results) {
    this.results = results;
    List<String> tiers = Stream.of(Device.Isa.values()).map(Device.Isa::text).toList();
    NativeLibrary cpu = NativeLoader.load("fovea_cpu").library().orElseThrow();
    for (String tier : tiers) {
      MemorySegment device = FoveaDeviceInfo.allocate(Arena.ofAuto());
      FoveaDeviceInfo.KIND.set(device, Abi.DEVICE_CPU);
      FoveaDeviceInfo.ISA.set(device, Abi.ISA_PORTABLE + tiers.indexOf(tier));
      FoveaDeviceInfo.ISA_AVAILABLE.set(device, 1 << FoveaDeviceInfo.ISA.get(device));
      // What a tier has no kernels of its own for, it computes with those of the one below.
      boolean partial = tier.equals("avx512_bf16") || tier.equals("amx");
      List<String> below = partial ? List.of("cpu-avx512") : List.of();
      columns.add(
          new Column(
              "CPU " + tier,
              cpu,
              device,
              Stream.concat(Stream.of("cpu-" + tier), below.stream()).toList()));
    }
    // The planner of the simulator is that of libfovea_cuda, which a machine may lack.
    DeviceBackend gpu = Devices.backend(Device.byName("sim:sm_80"));
    columns.add(
        new Column("CUDA, sm_80 and later", gpu.library(), gpu.info(), List.of("cuda", SIMULATOR)));
  }

  /** The table in Markdown. */
  static String markdown(Path results) {
    return new SupportTable(results).markdown();
  }

  private String markdown() {
    StringBuilder table = new StringBuilder("| yes: forward and backward |");
    columns.forEach(column -> table.append(' ').append(column.name()).append(" |"));
    table.append("\n| --- |").append(" --- |".repeat(columns.size())).append('\n');
    for (SupportFeature feature : features) {
      table.append("| ").append(feature.name()).append(" |");
      for (Column column : columns) {
        table.append(' ').append(support(column, feature)).append(" |");
      }
      table.append('\n');
    }
    List<Operation> operations = new ArrayList<>(Operations.all());
    operations.sort(Comparator.comparing(SupportTable::name));
    for (Operation operation : operations) {
      for (Pass pass : operation.passes()) {
        table.append("| %s checked, %s |".formatted(name(operation), pass));
        for (Column column : columns) {
          table.append(' ').append(checked(column, operation, pass)).append(" |");
        }
        table.append('\n');
      }
    }
    return table.append('\n').append(pairs()).toString();
  }

  private static String support(Column column, SupportFeature feature) {
    if (planned(column, Pass.BACKWARD, feature)) {
      return "yes";
    }
    return !feature.ofGradients() && planned(column, Pass.FORWARD, feature) ? "forward" : "no";
  }

  private String pairs() {
    Set<String> refused = new LinkedHashSet<>();
    String forward = pairs(Pass.FORWARD, refused);
    String backward = pairs(Pass.BACKWARD, refused);
    return "Of any two that a column has, the forward pass plans %s pairs together, the backward pass %s; refused by name: %s.\n"
        .formatted(forward, backward, refused.isEmpty() ? "none" : String.join("; ", refused));
  }

  /** How many pairs of how many are planned together wherever both are planned alone. */
  private String pairs(Pass pass, Set<String> refused) {
    int planned = 0;
    int pairs = 0;
    List<SupportFeature> any =
        features.stream()
            .filter(feature -> pass == Pass.BACKWARD || !feature.ofGradients())
            .toList();
    for (int i = 0; i < any.size(); i++) {
      for (int j = i + 1; j < any.size(); j++) {
        SupportFeature first = any.get(i);
        SupportFeature second = any.get(j);
        List<Column> both =
            columns.stream()
                .filter(column -> planned(column, pass, first) && planned(column, pass, second))
                .toList();
        if (both.isEmpty()) {
          continue;
        }
        pairs++;
        if (both.stream().allMatch(column -> planned(column, pass, first, second))) {
          planned++;
        } else {
          refused.add(first.name() + " with " + second.name());
        }
      }
    }
    return planned + " of " + pairs;
  }

  private static boolean planned(Column column, Pass pass, SupportFeature... features) {
    try (Arena arena = Arena.ofConfined()) {
      Question question = Question.plain(arena, pass);
      for (SupportFeature feature : features) {
        feature.set().accept(question);
      }
      MemorySegment plan = FoveaPlan.allocate(arena);
      int status =
          column.library().plan(NativeAttention.OPERATION, question.spec(), column.device(), plan);
      return status == Abi.OK;
    }
  }

  /** As its declaration has it. */
  private static String name(Operation operation) {
    return operation.toString().replace('-', '_');
  }

  private String checked(Column column, Operation operation, Pass pass) {
    for (String backend : column.backends()) {
      Optional<String> cases = cases(backend, operation, pass);
      if (cases.isPresent()) {
        return cases.get() + (backend.equals(SIMULATOR) ? ", simulated only" : "");
      }
    }
    return "not run";
  }

  private Optional<String> cases(String backend, Operation operation, Pass pass) {
    Path file = results.resolve("check-%s-%s-%s.json".formatted(backend, name(operation), pass));
    if (Files.notExists(file)) {
      return Optional.empty();
    }
    try {
      JsonObject report = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
      return Optional.of(
          String.format(
              Locale.ROOT,
              "%,d of %,d random cases%s",
              report.get("passed").getAsLong(),
              report.get("cases").getAsLong(),
              report.has("emulator") ? ", emulated only" : ""));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
