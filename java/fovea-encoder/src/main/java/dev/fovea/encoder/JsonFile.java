package dev.fovea.encoder;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A small file in JSON, and what is wrong with it in one sentence. */
record JsonFile(Path path, JsonElement root) {
  /**
   * Reads it.
   *
   * @throws IOException if it is missing or no JSON
   */
  static JsonFile read(Path path) throws IOException {
    try {
      return new JsonFile(path, JsonParser.parseString(Files.readString(path)));
    } catch (CharacterCodingException e) {
      throw new IOException(path + " is no UTF-8", e);
    } catch (JsonParseException e) {
      String why = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      throw new IOException(path + " is no JSON: " + why, e);
    }
  }

  JsonObject object() throws IOException {
    if (!root.isJsonObject()) {
      throw new IOException(path + " is no JSON object");
    }
    return root.getAsJsonObject();
  }

  /** Text, or {@code absent} where there is none. */
  String text(String name, String absent) throws IOException {
    JsonElement it = object().get(name);
    if (it == null || it.isJsonNull()) {
      return absent;
    }
    if (!it.isJsonPrimitive() || !it.getAsJsonPrimitive().isString()) {
      throw new IOException("%s has %s %s, expected text".formatted(path, name, it));
    }
    return it.getAsString();
  }

  /** A number, or {@code absent} where there is none. */
  double number(String name, double absent) throws IOException {
    JsonElement it = object().get(name);
    if (it == null || it.isJsonNull()) {
      return absent;
    }
    if (!it.isJsonPrimitive() || !it.getAsJsonPrimitive().isNumber()) {
      throw new IOException("%s has %s %s, expected a number".formatted(path, name, it));
    }
    return it.getAsDouble();
  }

  /** A whole number of at least 1. */
  int positive(String name) throws IOException {
    double value = number(name, Double.NaN);
    if (Double.isNaN(value)) {
      throw new IOException(path + " has no " + name);
    }
    if (value < 1 || value > Integer.MAX_VALUE || value != Math.rint(value)) {
      throw new IOException(
          "%s has %s %s, expected a whole number of at least 1"
              .formatted(path, name, object().get(name)));
    }
    return (int) value;
  }

  /** True if it says so; false where it is absent. */
  boolean isTrue(String name) throws IOException {
    JsonElement it = object().get(name);
    return it != null
        && it.isJsonPrimitive()
        && it.getAsJsonPrimitive().isBoolean()
        && it.getAsBoolean();
  }

  void require(String name, String value, String expected) throws IOException {
    if (!value.equals(expected)) {
      throw new IOException("%s has %s %s, expected %s".formatted(path, name, value, expected));
    }
  }
}
