package dev.fovea.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;

/**
 * A part of a model: parameters, and parts of its own. What it computes is a method of the
 * subclass, from {@link Variable}s to variables, usually called {@code forward}.
 *
 * {@snippet :
 * final class FeedForward extends Module {
 *   private final Linear up = child("up", new Linear(256, 1024));
 *   private final Linear down = child("down", new Linear(1024, 256));
 *
 *   Variable forward(Variable x) {
 *     return down.forward(Functions.gelu(up.forward(x)));
 *   }
 * }
 * }
 *
 * <p>A parameter or a module may be part of several others: it is shared, and its gradient is the
 * sum.
 */
public abstract class Module {
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private final Map<String, Module> children = new LinkedHashMap<>();
  private boolean training = true;

  /** A module without any parts. */
  protected Module() {}

  /**
   * Makes a parameter a part of this.
   *
   * @param name without dots, of no other part
   * @param initializer its first values
   * @param shape its sizes, all at least 1
   */
  protected final Parameter parameter(String name, Initializer initializer, long... shape) {
    for (long size : shape) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "%s has a size of %d, expected at least 1".formatted(name, size));
      }
    }
    return share(name, new Parameter(Objects.requireNonNull(initializer, "initializer"), shape));
  }

  /** Makes a parameter of another module a part of this too: one weight in two places. */
  protected final Parameter share(String name, Parameter parameter) {
    requireNew(name);
    parameters.put(name, Objects.requireNonNull(parameter, "parameter"));
    return parameter;
  }

  /** Makes a module a part of this. */
  protected final <M extends Module> M child(String name, M module) {
    requireNew(name);
    children.put(name, Objects.requireNonNull(module, "module"));
    return module;
  }

  private void requireNew(String name) {
    if (name.isEmpty() || name.contains(".")) {
      throw new IllegalArgumentException(
          "a part is called \"" + name + "\", expected a name without dots");
    }
    if (parameters.containsKey(name) || children.containsKey(name)) {
      throw new IllegalArgumentException("there is a part called \"" + name + "\" already");
    }
  }

  /**
   * The parameters of this and its parts by their paths, each once, in the order they were made in.
   */
  public final Map<String, Parameter> namedParameters() {
    Map<Parameter, String> names = new LinkedHashMap<>();
    visit("", (name, parameter) -> names.putIfAbsent(parameter, name));
    Map<String, Parameter> all = new LinkedHashMap<>();
    names.forEach((parameter, name) -> all.put(name, parameter));
    return Collections.unmodifiableMap(all);
  }

  private void visit(String path, BiConsumer<String, Parameter> visitor) {
    parameters.forEach((name, parameter) -> visitor.accept(path + name, parameter));
    children.forEach((name, child) -> child.visit(path + name + ".", visitor));
  }

  /**
   * Whether this and its parts are being trained: dropout drops then, and only then. True at first.
   */
  public final void train(boolean training) {
    this.training = training;
    children.values().forEach(child -> child.train(training));
  }

  /** Whether it is being trained. */
  public final boolean isTraining() {
    return training;
  }
}
