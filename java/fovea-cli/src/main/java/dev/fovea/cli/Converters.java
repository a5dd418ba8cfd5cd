package dev.fovea.cli;

import dev.fovea.Activation.Function;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.cli.attend.Mechanism;
import dev.fovea.cli.attend.Settings.Rule;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Pass;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What options take, and what is said of anything else. */
final class Converters {

  private Converters() {}

  static void register(CommandLine commands) {
    commands.registerConverter(int.class, Converters::wholeInt);
    commands.registerConverter(Integer.class, Converters::wholeInt);
    commands.registerConverter(long.class, Converters::wholeLong);
    commands.registerConverter(double.class, Converters::number);
    commands.registerConverter(Double.class, Converters::number);
    commands.registerConverter(Long.class, Converters::wholeLong);
    commands.registerConverter(Path.class, Converters::file);
    commands.registerConverter(FloatType.class, FloatType::of);
    commands.registerConverter(Operation.class, Converters::operation);
    commands.registerConverter(Mechanism.class, oneOf(Mechanism.class));
    commands.registerConverter(Pass.class, oneOf(Pass.class));
    commands.registerConverter(Rule.class, oneOf(Rule.class));
    commands.registerConverter(FeatureMap.class, Converters::featureMap);
    commands.registerConverter(Function.class, Converters::function);
  }

  private static int wholeInt(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw noWholeNumber(text, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }
  }

  private static long wholeLong(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw noWholeNumber(text, Long.MIN_VALUE, Long.MAX_VALUE);
    }
  }

  private static TypeConversionException noWholeNumber(String text, long least, long most) {
    return new TypeConversionException(
        "'%s' is not a whole number from %d to %d".formatted(text, least, most));
  }

  private static double number(String text) {
    try {
      double number = Double.parseDouble(text);
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new TypeConversionException("'" + text + "' is not a finite number such as 0.125");
  }

  private static Operation operation(String text) {
    try {
      return Operations.of(text);
    } catch (IllegalArgumentException unknown) {
      throw new TypeConversionException(unknown.getMessage());
    }
  }

  private static FeatureMap featureMap(String text) {
    try {
      return FeatureMap.valueOf(text.toUpperCase(Locale.ROOT).replace('-', '_'));
    } catch (IllegalArgumentException unknown) {
      throw new TypeConversionException("'" + text + "' is not identity, elu-plus-one or relu");
    }
  }

  private static Function function(String text) {
    try {
      return Function.valueOf(text.toUpperCase(Locale.ROOT).replace('-', '_'));
    } catch (IllegalArgumentException unknown) {
      throw new TypeConversionException(
          "'" + text + "' is not identity, relu, gelu, gelu-tanh, silu, sigmoid or tanh");
    }
  }

  private static Path file(String text) {
    try {
      if (!text.isEmpty()) {
        return Path.of(text);
      }
    } catch (InvalidPathException e) {
      // said below
    }
    throw new TypeConversionException("'" + text + "' is not the name of a file");
  }

  /** By the names that the values print. */
  private static <T extends Enum<T>> ITypeConverter<T> oneOf(Class<T> type) {
    return text ->
        Arrays.stream(type.getEnumConstants())
            .filter(value -> value.toString().equalsIgnoreCase(text))
            .findFirst()
            .orElseThrow(
                () ->
                    new TypeConversionException(
                        "'%s' is not %s"
                            .formatted(
                                text,
                                Arrays.stream(type.getEnumConstants())
                                    .map(Object::toString)
                                    .collect(Collectors.joining(" or ")))));
  }
}
