package dev.fovea.bench;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.fovea.Device;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionPlan;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.spi.DeviceBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What is supported, found out by asking the planners: every feature alone, and every two of them
 * together, for each instruction set tier of the CPU and for a GPU, whether this machine has them
 * or not. What a column has been checked with is in {@code check-BACKEND.json}, the JSON of {@code
 * fovea check}, beside the other results; without that file it says "not run". Kernels for a GPU
 * are "simulated only" until there is such a file from a GPU.
 */
final class SupportTable {
  private record Feature(String name, Consumer<MemorySegment> set) {}

  /** A device to plan for, and what its kernels were checked with. */
  private record Column(String name, NativeLibrary library, MemorySegment device, String checked) {}

  private final List<Column> columns = new ArrayList<>();

  private SupportTable(Path results) throws IOException {
    List<String> tiers = List.of("portable", "avx2", "avx512");
    NativeLibrary cpu = NativeLoader.load("fovea_cpu").library().orElseThrow();
    for (String tier : tiers) {
      MemorySegment device = FoveaDeviceInfo.allocate(Arena.ofAuto());
      FoveaDeviceInfo.KIND.set(device, Abi.DEVICE_CPU);
      FoveaDeviceInfo.ISA.set(device, Abi.ISA_PORTABLE + tiers.indexOf(tier));
      FoveaDeviceInfo.ISA_AVAILABLE.set(device, 1 << FoveaDeviceInfo.ISA.get(device));
      columns.add(
          new Column(
              "CPU " + tier, cpu, device, checked(results, "cpu-" + tier).orElse("not run")));
    }
    // The planner of the simulator is that of libfovea_cuda, which a machine may lack.
    DeviceBackend gpu = Device.byName("sim:sm_80").backend();
    String checked =
        checked(results, "cuda")
            .or(() -> checked(results, "sim").map(cases -> cases + ", simulated only"))
            .orElse("not run");
    columns.add(new Column("CUDA, sm_80 and later", gpu.library(), gpu.info(), checked));
  }

  /** The table in Markdown. */
  static String markdown(Path results) throws IOException {
    return new SupportTable(results).markdown();
  }

  private static List<Feature> features() {
    List<Feature> features = new ArrayList<>();
    for (int dtype = Abi.FLOAT32; dtype <= Abi.BFLOAT16; dtype++) {
      int value = dtype;
      String name = List.of("float32", "float16", "bfloat16").get(dtype - 1);
      features.add(flag(name, FoveaAttentionSpec.DTYPE, value));
    }
    features.add(flag("out in another type", FoveaAttentionSpec.OUT_DTYPE, Abi.FLOAT32));
    features.add(new Feature("head dim 1", spec -> FoveaAttentionSpec.HEAD_DIM.set(spec, 1)));
    features.add(new Feature("head dim 256", spec -> FoveaAttentionSpec.HEAD_DIM.set(spec, 256)));
    features.add(new Feature("head dim 512", spec -> FoveaAttentionSpec.HEAD_DIM.set(spec, 512)));
    features.add(
        new Feature("another value head dim", s -> FoveaAttentionSpec.VALUE_HEAD_DIM.set(s, 127)));
    features.add(
        new Feature("grouped and multi-query", s -> FoveaAttentionSpec.KEY_HEADS.set(s, 1)));
    features.add(
        new Feature(
            "packed sequences (cu_seqlens)",
            spec -> {
              FoveaAttentionSpec.PACKED.set(spec, 1);
              FoveaAttentionSpec.QUERY_TOTAL.set(spec, 100);
              FoveaAttentionSpec.KEY_TOTAL.set(spec, 200);
            }));
    features.add(flag("query lengths", FoveaAttentionSpec.HAS_QUERY_LENGTHS, 1));
    features.add(flag("key lengths", FoveaAttentionSpec.HAS_KEY_LENGTHS, 1));
    features.add(flag("causal", FoveaAttentionSpec.CAUSAL, 1));
    features.add(flag("top-left alignment", FoveaAttentionSpec.ALIGNMENT, Abi.TOP_LEFT));
    features.add(flag("window, left", FoveaAttentionSpec.HAS_WINDOW_LEFT, 1));
    features.add(flag("window, right", FoveaAttentionSpec.HAS_WINDOW_RIGHT, 1));
    features.add(new Feature("softcap", spec -> FoveaAttentionSpec.SOFTCAP.set(spec, 30f)));
    features.add(flag("ALiBi", FoveaAttentionSpec.HAS_ALIBI, 1));
    features.add(flag("additive bias, any float type", FoveaAttentionSpec.BIAS_DTYPE, 2));
    features.add(flag("attention sinks", FoveaAttentionSpec.HAS_SINKS, 1));
    features.add(new Feature("dropout", spec -> FoveaAttentionSpec.DROPOUT.set(spec, 0.1f)));
    features.add(flag("log-sum-exp", FoveaAttentionSpec.HAS_LSE, 1));
    features.add(flag("attention weights", FoveaAttentionSpec.HAS_WEIGHTS, 1));
    return features;
  }

  private static Feature flag(String name, Field.Int32 field, int value) {
    return new Feature(name, spec -> field.set(spec, value));
  }

  private String markdown() {
    List<Feature> features = features();
    StringBuilder table = new StringBuilder("| forward |");
    columns.forEach(column -> table.append(' ').append(column.name()).append(" |"));
    table.append("\n| --- |").append(" --- |".repeat(columns.size())).append('\n');
    for (Feature feature : features) {
      table.append("| ").append(feature.name()).append(" |");
      for (Column column : columns) {
        table.append(planned(column, feature) ? " yes |" : " no |");
      }
      table.append('\n');
    }
    table.append("| checked |");
    columns.forEach(column -> table.append(' ').append(column.checked()).append(" |"));
    return table.append("\n\n").append(pairs(features)).toString();
  }

  private String pairs(List<Feature> features) {
    int planned = 0;
    List<String> refused = new ArrayList<>();
    for (int i = 0; i < features.size(); i++) {
      for (int j = i + 1; j < features.size(); j++) {
        Feature first = features.get(i);
        Feature second = features.get(j);
        boolean wherever =
            columns.stream()
                .allMatch(
                    column ->
                        planned(column, first, second)
                            || !planned(column, first)
                            || !planned(column, second));
        if (wherever) {
          planned++;
        } else {
          refused.add(first.name() + " with " + second.name());
        }
      }
    }
    return "Of any two that a column has, %d of %d pairs are planned together; refused by name: %s.\n"
        .formatted(planned, planned + refused.size(), String.join("; ", refused));
  }

  private static boolean planned(Column column, Feature... features) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = plain(arena);
      for (Feature feature : features) {
        feature.set().accept(spec);
      }
      MemorySegment plan = FoveaAttentionPlan.allocate(arena);
      return column.library().planAttention(spec, column.device(), plan) == Abi.OK;
    }
  }

  private static MemorySegment plain(Arena arena) {
    MemorySegment spec = FoveaAttentionSpec.allocate(arena);
    FoveaAttentionSpec.DTYPE.set(spec, Abi.FLOAT32);
    FoveaAttentionSpec.BATCH.set(spec, 2);
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, 50);
    FoveaAttentionSpec.KEY_LENGTH.set(spec, 100);
    FoveaAttentionSpec.QUERY_HEADS.set(spec, 4);
    FoveaAttentionSpec.KEY_HEADS.set(spec, 4);
    FoveaAttentionSpec.HEAD_DIM.set(spec, 64);
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, 64);
    // Wide enough for every feature: rows of 512 elements or 100 scores never overlap.
    long[] rows = {200 * 2048, 2048, 512};
    long[] scores = {400 * 400, 200 * 200, 200};
    for (int i = 0; i < 3; i++) {
      FoveaAttentionSpec.QUERY_STRIDE.set(spec, i, rows[i]);
      FoveaAttentionSpec.KEY_STRIDE.set(spec, i, rows[i]);
      FoveaAttentionSpec.VALUE_STRIDE.set(spec, i, rows[i]);
      FoveaAttentionSpec.OUT_STRIDE.set(spec, i, rows[i]);
      FoveaAttentionSpec.BIAS_STRIDE.set(spec, i, scores[i]);
      FoveaAttentionSpec.WEIGHTS_STRIDE.set(spec, i, scores[i]);
    }
    FoveaAttentionSpec.LSE_STRIDE.set(spec, 0, 800);
    FoveaAttentionSpec.LSE_STRIDE.set(spec, 1, 200);
    return spec;
  }

  private static Optional<String> checked(Path results, String backend) {
    Path file = results.resolve("check-" + backend + ".json");
    if (Files.notExists(file)) {
      return Optional.empty();
    }
    try {
      JsonObject report = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
      return Optional.of(
          String.format(
              Locale.ROOT,
              "%,d of %,d random cases",
              report.get("passed").getAsLong(),
              report.get("cases").getAsLong()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
