package dev.fovea.cli.npy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the Python dictionary of a header, and no other Python: text in quotes, True, False, and
 * tuples of whole numbers.
 */
final class NpyDictionary {

  private static final String SPACE = " \t\n\r\f";
  private static final int SHOWN = 100; // characters of a header in a message

  private final String text;
  private int at;

  private NpyDictionary(String text) {
    this.text = text;
  }

  /**
   * The entries of a dictionary: {@link String}, {@link Boolean}, or {@code List<String>} of the
   * digits of numbers.
   */
  static Map<String, Object> parse(String text) throws NpyException {
    return new NpyDictionary(text).dictionary();
  }

  private Map<String, Object> dictionary() throws NpyException {
    Map<String, Object> entries = new HashMap<>();
    expect('{');
    while (!next('}')) {
      String key = string();
      expect(':');
      if (entries.put(key, value(key)) != null) {
        throw new NpyException("its header has '" + printable(key) + "' twice");
      }
      if (!next(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (at < text.length()) {
      throw unreadable();
    }
    return entries;
  }

  private Object value(String key) throws NpyException {
    skip();
    if (text.startsWith("True", at)) {
      at += "True".length();
      return true;
    }
    if (text.startsWith("False", at)) {
      at += "False".length();
      return false;
    }
    if (text.startsWith("[", at) && key.equals("descr")) {
      throw new NpyException("it holds records, expected one element type");
    }
    if (next('(')) {
      return tuple();
    }
    return string();
  }

  private List<String> tuple() throws NpyException {
    List<String> numbers = new ArrayList<>();
    while (!next(')')) {
      numbers.add(number());
      if (!next(',')) {
        expect(')');
        if (numbers.size() == 1) {
          throw unreadable(); // to Python (3) is no tuple: (3,) is
        }
        break;
      }
    }
    return numbers;
  }

  private String number() throws NpyException {
    skip();
    int from = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == from || text.charAt(from) == '0' && at > from + 1) {
      throw unreadable();
    }
    String digits = text.substring(from, at);
    if (text.startsWith("L", at)) {
      at++; // as Python 2 wrote long ones
    }
    return digits;
  }

  private String string() throws NpyException {
    skip();
    char quote = at < text.length() ? text.charAt(at) : ' ';
    int end = text.indexOf(quote, at + 1);
    if (quote != '\'' && quote != '"' || end < 0) {
      throw unreadable();
    }
    String inside = text.substring(at + 1, end);
    if (inside.indexOf('\\') >= 0 || inside.indexOf('\n') >= 0) {
      throw unreadable();
    }
    at = end + 1;
    return inside;
  }

  private void expect(char wanted) throws NpyException {
    if (!next(wanted)) {
      throw unreadable();
    }
  }

  private boolean next(char wanted) {
    skip();
    boolean there = at < text.length() && text.charAt(at) == wanted;
    at += there ? 1 : 0;
    return there;
  }

  private void skip() {
    while (at < text.length() && SPACE.indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private NpyException unreadable() {
    if (text.isBlank()) {
      return new NpyException("its header is blank");
    }
    return new NpyException(
        "its header is not what NumPy writes, from character %d: %s"
            .formatted(at, printable(text)));
  }

  /** What a file says may be anything: no control characters reach a terminal. */
  static String printable(String text) {
    String shown = text.strip();
    shown = shown.length() > SHOWN ? shown.substring(0, SHOWN) + "..." : shown;
    return shown.replaceAll("[^ -~]", "?");
  }
}
