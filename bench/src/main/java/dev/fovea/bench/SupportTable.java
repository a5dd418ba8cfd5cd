package dev.fovea.bench;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionPlan;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * What is supported, found out by asking the planner: every feature alone, and every two of them
 * together, for each instruction set tier whether this machine has it or not. What a tier has been
 * checked with is in {@code check-cpu-TIER.json}, the JSON of {@code fovea check}, beside the other
 * results; without that file it says "not run".
 */
final class SupportTable {
  private static final List<String> TIERS = List.of("portable", "avx2", "avx512");

  private record Feature(String name, Consumer<MemorySegment> set) {}

  private final NativeLibrary library;
  private final Path results;

  private SupportTable(Path results) {
    this.library = NativeLoader.load("fovea_cpu").library().orElseThrow(IllegalStateException::new);
    this.results = results;
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

  private String markdown() throws IOException {
    List<Feature> features = features();
    StringBuilder table = new StringBuilder("| forward on the CPU |");
    TIERS.forEach(tier -> table.append(' ').append(tier).append(" |"));
    table.append("\n| --- |").append(" --- |".repeat(TIERS.size())).append('\n');
    for (Feature feature : features) {
      table.append("| ").append(feature.name()).append(" |");
      for (int tier = 1; tier <= TIERS.size(); tier++) {
        String refusal = plan(tier, feature);
        table.append(refusal.isEmpty() ? " yes |" : " no |");
      }
      table.append('\n');
    }
    table.append("| checked |");
    for (String tier : TIERS) {
      table.append(' ').append(checked(tier)).append(" |");
    }
    return table.append("\n\n").append(pairs(features)).toString();
  }

  private String pairs(List<Feature> features) {
    int planned = 0;
    List<String> refused = new ArrayList<>();
    for (int i = 0; i < features.size(); i++) {
      for (int j = i + 1; j < features.size(); j++) {
        boolean everywhere = true;
        for (int tier = 1; tier <= TIERS.size(); tier++) {
          everywhere &= plan(tier, features.get(i), features.get(j)).isEmpty();
        }
        if (everywhere) {
          planned++;
        } else {
          refused.add(features.get(i).name() + " with " + features.get(j).name());
        }
      }
    }
    return "Of any two together, %d of %d pairs are planned; refused by name: %s.\n"
        .formatted(planned, planned + refused.size(), String.join("; ", refused));
  }

  /** Empty, or the planner's words. */
  private String plan(int tier, Feature... features) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment device = FoveaDeviceInfo.allocate(arena);
      FoveaDeviceInfo.KIND.set(device, Abi.DEVICE_CPU);
      FoveaDeviceInfo.ISA.set(device, tier);
      FoveaDeviceInfo.ISA_AVAILABLE.set(device, 1 << tier);
      MemorySegment spec = plain(arena);
      for (Feature feature : features) {
        feature.set().accept(spec);
      }
      MemorySegment plan = FoveaAttentionPlan.allocate(arena);
      int status = library.planAttention(spec, device, plan);
      return status == Abi.OK ? "" : FoveaAttentionPlan.ERROR.get(plan);
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

  private String checked(String tier) throws IOException {
    Path file = results.resolve("check-cpu-" + tier + ".json");
    if (Files.notExists(file)) {
      return "not run";
    }
    JsonObject report = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    return String.format(
        Locale.ROOT,
        "%,d of %,d random cases",
        report.get("passed").getAsLong(),
        report.get("cases").getAsLong());
  }
}
