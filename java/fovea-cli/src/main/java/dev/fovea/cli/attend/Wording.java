package dev.fovea.cli.attend;

import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Dim;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Says refusals of the library in the words of the command line: options and files in place of the
 * names that operands and sizes have in Java and C.
 */
public final class Wording {

  /** The subject of a sentence: an operand, or one element of it. */
  private static final Pattern SUBJECT =
      Pattern.compile("^([A-Za-z_]+\\d*)(\\[(\\d+(?:, \\d+)*)\\])?(?= has | is )");

  /** What no English word looks like: headDim, key_lengths, cuSeqlensQ. */
  private static final Pattern IDENTIFIER = Pattern.compile("\\b[a-z]+(?:_[a-z]+|[A-Z][a-z]*)+\\b");

  /** An element type as Java spells it. */
  private static final Pattern TYPE = Pattern.compile("\\b(?:B?FLOAT(?:16|32)|INT32)\\b");

  private final Map<String, String> words = new HashMap<>();

  /** Adds an option and what it is set to; null: it is not given. */
  public Wording with(String option, Object value) {
    if (value != null) {
      words.put(option.substring(2), option + " " + value);
    }
    return this;
  }

  /** Adds options whose values a refusal repeats by itself. */
  public Wording with(String... options) {
    for (String option : options) {
      words.put(option.substring(2), option);
    }
    return this;
  }

  /** Adds the sizes that a file says, but for those of files that were added before. */
  Wording withSizes(Operand operand, Path file) {
    for (Dim dim : operand.dims()) {
      if (dim.size() != null) {
        words.putIfAbsent(
            option(dim.size().name()),
            "the %s of %s %s".formatted(size(dim), Mechanism.option(operand.name()), file));
      }
    }
    return this;
  }

  /** Of head_dim, "last dimension". */
  private static String size(Dim dim) {
    String name = dim.size().name();
    return switch (name.substring(name.lastIndexOf('_') + 1)) {
      case "length" -> "sequence length";
      case "heads" -> "number of heads";
      case "dim" -> "last dimension";
      default -> name.replace('_', ' ');
    };
  }

  /** Runs {@code work} and rewords its refusals. */
  public <T> T say(Supplier<T> work) {
    try {
      return work.get();
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(of(e.getMessage()), e);
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException(of(e.getMessage()), e);
    }
  }

  /** As {@link #say(Supplier)}. */
  public void say(Runnable work) {
    say(
        () -> {
          work.run();
          return null;
        });
  }

  /** The message in the user's words; null stays null. */
  String of(String message) {
    if (message == null) {
      return null;
    }
    Matcher subject = SUBJECT.matcher(message);
    if (subject.find() && words.containsKey(option(subject.group(1)))) {
      String operand = words.get(option(subject.group(1)));
      String element = subject.group(3) == null ? "" : "element " + subject.group(3) + " of ";
      return element + operand + inside(message.substring(subject.end()));
    }
    return inside(message);
  }

  private String inside(String text) {
    String types = TYPE.matcher(text).replaceAll(type -> type.group().toLowerCase(Locale.ROOT));
    return IDENTIFIER.matcher(types).replaceAll(this::known);
  }

  private String known(MatchResult found) {
    return Matcher.quoteReplacement(words.getOrDefault(option(found.group()), found.group()));
  }

  /** "keyLengths" and "key_lengths" as "key-lengths". */
  private static String option(String name) {
    return name.replaceAll("([a-z])([A-Z])", "$1-$2").replace('_', '-').toLowerCase(Locale.ROOT);
  }
}
