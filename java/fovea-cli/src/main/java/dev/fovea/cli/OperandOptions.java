package dev.fovea.cli;

import dev.fovea.cli.attend.Mechanism;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Type;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * Options for files of {@code attend}: one for each operand of its operations, named and described
 * by their declarations.
 */
final class OperandOptions implements IModelTransformer {

  private static final String INPUTS = "%nFiles to read:%n";
  private static final String RESULTS = "%nFiles to write:%n";
  private static final String GRADIENTS = "%nThe backward pass, from the gradient of out:%n";

  /** Options for what is not called so in a declaration. */
  private static final Map<String, String> OTHER_NAMES =
      Map.of(
          "window", "window_left",
          "block_size", "block_queries",
          "image_window", "image_width",
          "seed", "dropout",
          "offset", "dropout");

  @Override
  public CommandSpec transform(CommandSpec command) {
    for (OptionSpec option : List.copyOf(command.options())) {
      List<Mechanism> mechanisms = declaring(option);
      if (!mechanisms.isEmpty() && mechanisms.size() < Mechanism.values().length) {
        String description = names(mechanisms, ", ") + ": " + option.description()[0];
        command.remove(option);
        command.addOption(OptionSpec.builder(option).description(description).build());
      }
    }
    Map<String, ArgGroupSpec.Builder> groups = new LinkedHashMap<>();
    for (String heading : List.of(INPUTS, RESULTS, GRADIENTS)) {
      groups.put(heading, ArgGroupSpec.builder().heading(heading).validate(false));
    }
    Map<String, String> headings = new LinkedHashMap<>(); // by operand
    for (Mechanism mechanism : Mechanism.values()) {
      for (Operand it : mechanism.operands()) {
        boolean gradient = mechanism.isGradient(it);
        headings.putIfAbsent(
            it.name(), gradient ? GRADIENTS : Mechanism.isRead(it) ? INPUTS : RESULTS);
        if (it.inPlace()) {
          headings.putIfAbsent(Mechanism.result(it), RESULTS);
        }
      }
    }
    headings.forEach((operand, heading) -> groups.get(heading).addArg(option(operand)));
    groups.values().forEach(group -> command.addArgGroup(group.build()));
    Stream<String> formulas =
        Arrays.stream(Mechanism.values()).map(it -> "  --op " + it + ": " + it.formula());
    command
        .usageMessage()
        .description(
            Stream.concat(Arrays.stream(command.usageMessage().description()), formulas)
                .toArray(String[]::new));
    return command;
  }

  private static OptionSpec option(String operand) {
    return OptionSpec.builder(Mechanism.option(operand))
        .type(Path.class)
        .paramLabel("FILE")
        .description(description(operand))
        .build();
  }

  /** Its shape, with the operations that have it where not all have the same. */
  private static String description(String operand) {
    Map<String, List<Mechanism>> shapes = new LinkedHashMap<>();
    for (Mechanism mechanism : Mechanism.values()) {
      mechanism.operands().stream()
          .filter(it -> it.name().equals(operand) || Mechanism.result(it).equals(operand))
          .forEach(
              it ->
                  shapes
                      .computeIfAbsent(shape(mechanism, it), s -> new ArrayList<>())
                      .add(mechanism));
    }
    boolean common = shapes.values().iterator().next().size() == Mechanism.values().length;
    return common
        ? shapes.keySet().iterator().next()
        : shapes.entrySet().stream()
            .map(it -> names(it.getValue(), ", ") + ": " + it.getKey())
            .collect(Collectors.joining("; "));
  }

  private static String shape(Mechanism mechanism, Operand operand) {
    if (mechanism.isGradient(operand)) {
      String of = Mechanism.option(NativeOperation.original(operand.name()));
      return operand.written() ? "as " + of : "to be read, as " + of + "; the others need it";
    }
    String sizes =
        operand.axes(false, null).stream()
            .map(axis -> axis.symbol() + (axis.sums() ? "|1" : ""))
            .collect(Collectors.joining(","));
    return "[%s%s]%s"
        .formatted(
            sizes,
            operand.type() == Type.OFFSETS ? "+1" : "",
            operand.counts() != null ? ", int32 or int64" : "");
  }

  private static String names(List<Mechanism> mechanisms, String separator) {
    return mechanisms.stream().map(Mechanism::toString).collect(Collectors.joining(separator));
  }

  /**
   * The files by the names of operands.
   *
   * @param deterministic whether the line says so
   * @throws ParameterException if one is missing that the operation must have
   * @throws IllegalArgumentException if the options do not go together
   */
  static Map<String, Path> files(ParseResult line, Mechanism mechanism, boolean deterministic) {
    CommandLine command = line.commandSpec().commandLine();
    for (OptionSpec option : line.matchedOptions()) {
      if (option.originalStringValues().size() > 1) { // which a group lets pass
        throw new ParameterException(
            command, "option '%s' should be specified only once".formatted(option.longestName()));
      }
      refuseOthers(option, mechanism);
    }
    Map<String, Path> files = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    for (Operand it : mechanism.operands()) {
      Path file = line.matchedOptionValue(Mechanism.option(it.name()), (Path) null);
      Path result = line.matchedOptionValue(Mechanism.option(Mechanism.result(it)), (Path) null);
      if (it.inPlace() && result != null) {
        files.put(Mechanism.result(it), result);
      }
      if (file != null) {
        files.put(it.name(), file);
      } else if (it.present() == null && !mechanism.isGradient(it)) {
        missing.add("'" + Mechanism.option(it.name()) + "'");
      }
    }
    if (!missing.isEmpty()) {
      throw new ParameterException(
          command,
          "Missing required option%s: %s, for --op %s"
              .formatted(missing.size() > 1 ? "s" : "", String.join(", ", missing), mechanism));
    }
    checkGradients(files, mechanism, deterministic);
    return files;
  }

  /** An option that another operation has, and this has not. */
  private static void refuseOthers(OptionSpec option, Mechanism mechanism) {
    List<Mechanism> declaring = declaring(option);
    if (!declaring.isEmpty() && !declaring.contains(mechanism)) {
      throw new IllegalArgumentException(
          "%s does not go with --op %s, only with --op %s"
              .formatted(option.longestName(), mechanism, names(declaring, " or ")));
    }
  }

  /** The operations that have what an option sets; none for one that is not of operations. */
  private static List<Mechanism> declaring(OptionSpec option) {
    String name = option.longestName().substring(2).replace('-', '_');
    String declared = OTHER_NAMES.getOrDefault(name, name);
    return Arrays.stream(Mechanism.values()).filter(it -> it.has(declared)).toList();
  }

  private static void checkGradients(
      Map<String, Path> files, Mechanism mechanism, boolean deterministic) {
    List<String> gradients =
        mechanism.operands().stream()
            .filter(it -> mechanism.isGradient(it) && it.written())
            .map(Operand::name)
            .toList();
    for (String gradient : gradients) {
      String of = NativeOperation.original(gradient);
      if (files.containsKey(gradient) && !files.containsKey(of)) {
        throw new IllegalArgumentException(
            "%s needs %s: there is no gradient of what is not there"
                .formatted(Mechanism.option(gradient), Mechanism.option(of)));
      }
    }
    boolean wanted = gradients.stream().anyMatch(files::containsKey);
    boolean dout = files.containsKey("dout");
    if (!wanted && (dout || deterministic)) {
      throw new IllegalArgumentException(
          "%s needs a gradient to write: %s"
              .formatted(dout ? "--dout" : "--deterministic", any(gradients)));
    }
    if (wanted && !dout) {
      throw new IllegalArgumentException(
          "gradients need --dout, the gradient of out, of the shape of out");
    }
  }

  /** "--dquery, --dkey or --dvalue" */
  private static String any(List<String> operands) {
    List<String> options = operands.stream().map(Mechanism::option).toList();
    int last = options.size() - 1;
    return String.join(", ", options.subList(0, last)) + " or " + options.get(last);
  }
}
