package dev.fovea.probe;

/** One JSON object on one line. */
final class Json {
  private final StringBuilder text = new StringBuilder("{");

  static Json object() {
    return new Json();
  }

  Json put(String name, String value) {
    return member(name, quote(value));
  }

  Json put(String name, long value) {
    return member(name, Long.toString(value));
  }

  Json put(String name, double value) {
    return member(
        name, Double.isFinite(value) ? Double.toString(value) : quote(Double.toString(value)));
  }

  void print() {
    System.out.println(text.append('}'));
  }

  private Json member(String name, String value) {
    if (text.length() > 1) text.append(", ");
    text.append(quote(name)).append(": ").append(value);
    return this;
  }

  private static String quote(String value) {
    var quoted = new StringBuilder("\"");
    for (char c : String.valueOf(value).toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ') quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
