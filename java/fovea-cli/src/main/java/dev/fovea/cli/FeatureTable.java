package dev.fovea.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.FeatureSurvey;
import dev.fovea.testkit.FeatureSurvey.Answer;
import dev.fovea.testkit.FeatureSurvey.Limit;
import dev.fovea.testkit.Pass;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the planners of some devices answer of one operation: a row for each feature. */
final class FeatureTable {

  private static final String NONE = "no";

  private final NativeOperation operation;
  private final List<String> features;
  private final Map<Device, List<Answer>> answers = new LinkedHashMap<>();
  private final Map<Device, List<Limit>> limits = new LinkedHashMap<>();

  /** Asks them. */
  FeatureTable(NativeOperation operation, List<Device> devices) {
    this.operation = operation;
    Set<String> names = new LinkedHashSet<>();
    for (Device device : devices) {
      FeatureSurvey survey = new FeatureSurvey(operation, device);
      names.addAll(survey.features());
      answers.put(device, survey.answers());
      limits.put(device, survey.limits());
    }
    features = List.copyOf(names);
  }

  /** For people. */
  void print(PrintStream out) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(row(operation.name(), Device::name));
    for (DType dtype : FeatureSurvey.types(operation)) {
      rows.add(row("  " + text(dtype), device -> plain(device, dtype)));
    }
    sizes().forEach(size -> rows.add(row("  " + size, device -> limit(device, size))));
    features.forEach(it -> rows.add(row("  " + name(it), device -> support(device, it))));
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.size(); column++) {
        int at = column;
        int width = rows.stream().mapToInt(it -> it.get(at).length()).max().orElseThrow();
        line.append(row.get(column)).append(" ".repeat(width - row.get(column).length() + 2));
      }
      out.println(line.toString().stripTrailing());
    }
    refusals().forEach(it -> out.println("  " + it));
    out.println();
  }

  private List<String> row(String name, Function<Device, String> cell) {
    return Stream.concat(Stream.of(name), answers.keySet().stream().map(cell)).toList();
  }

  private String plain(Device device, DType dtype) {
    return passes(of(device, it -> it.feature() == null && it.dtype() == dtype));
  }

  /** The passes that are planned. */
  private static String passes(Collection<Answer> answers) {
    List<Pass> planned = answers.stream().filter(Answer::isPlanned).map(Answer::pass).toList();
    return switch (planned.size()) {
      case 0 -> NONE;
      case 1 -> planned.getFirst().toString();
      default -> "both";
    };
  }

  /** The same for all types, or for each. */
  private String support(Device device, String feature) {
    Map<String, String> byType = new LinkedHashMap<>();
    for (DType dtype : FeatureSurvey.types(operation)) {
      List<Answer> asked = of(device, it -> feature.equals(it.feature()) && it.dtype() == dtype);
      if (!asked.isEmpty()) {
        byType.put(text(dtype), passes(asked));
      }
    }
    return merged(byType);
  }

  private String limit(Device device, String size) {
    Map<String, String> byCase = new LinkedHashMap<>();
    limits.get(device).stream()
        .filter(it -> it.size().equals(size))
        .forEach(it -> byCase.put(text(it.dtype()) + " " + it.pass(), "to " + it.most()));
    return byCase.isEmpty() && !isAny(device) ? NONE : byCase.isEmpty() ? "any" : merged(byCase);
  }

  private boolean isAny(Device device) {
    return !of(device, Answer::isPlanned).isEmpty();
  }

  private static String merged(Map<String, String> cells) {
    Set<String> all = new LinkedHashSet<>(cells.values());
    return switch (all.size()) {
      case 0 -> NONE;
      case 1 -> all.iterator().next();
      default ->
          cells.entrySet().stream()
              .map(it -> it.getKey() + " " + it.getValue())
              .collect(Collectors.joining(", "));
    };
  }

  /** With what it cannot do without. */
  private String name(String feature) {
    return answers.values().stream()
        .flatMap(List::stream)
        .filter(it -> feature.equals(it.feature()) && !it.with().isEmpty())
        .findFirst()
        .map(it -> feature + " (with " + String.join(" and ", it.with()) + ")")
        .orElse(feature);
  }

  private List<String> sizes() {
    return limits.values().stream().flatMap(List::stream).map(Limit::size).distinct().toList();
  }

  /** Why something is not planned, in the planner's words. */
  private Set<String> refusals() {
    Set<String> refusals = new LinkedHashSet<>();
    answers.forEach(
        (device, all) ->
            all.stream()
                .map(Answer::refusal)
                .filter(Objects::nonNull)
                .forEach(why -> refusals.add(device.name() + ": " + why)));
    return refusals;
  }

  private List<Answer> of(Device device, Predicate<Answer> which) {
    return answers.get(device).stream().filter(which).toList();
  }

  /** An object for each device: its answers, and its limits. */
  JsonArray json() {
    JsonArray all = new JsonArray();
    for (Device device : answers.keySet()) {
      JsonObject json = new JsonObject();
      json.addProperty("mechanism", operation.name());
      json.addProperty("backend", device.name());
      JsonArray list = new JsonArray();
      answers.get(device).forEach(it -> list.add(json(it)));
      json.add("answers", list);
      JsonArray sizes = new JsonArray();
      limits.get(device).forEach(it -> sizes.add(json(it)));
      json.add("limits", sizes);
      all.add(json);
    }
    return all;
  }

  private static JsonObject json(Answer answer) {
    JsonObject json = new JsonObject();
    json.addProperty("dtype", text(answer.dtype()));
    json.addProperty("pass", answer.pass().toString());
    json.addProperty("feature", answer.feature());
    JsonArray with = new JsonArray();
    answer.with().forEach(with::add);
    json.add("with", with);
    json.addProperty("kernel", answer.kernel());
    json.addProperty("refusal", answer.refusal());
    return json;
  }

  private static JsonObject json(Limit limit) {
    JsonObject json = new JsonObject();
    json.addProperty("dtype", text(limit.dtype()));
    json.addProperty("pass", limit.pass().toString());
    json.addProperty("size", limit.size());
    json.addProperty("most", limit.most());
    return json;
  }

  private static String text(DType dtype) {
    return dtype.name().toLowerCase(Locale.ROOT);
  }
}
