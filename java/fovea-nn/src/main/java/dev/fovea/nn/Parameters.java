package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * The memory of all parameters of a model: values and gradients lie in one block each, so that an
 * optimiser changes a whole model at once.
 *
 * <p>Closing it ends the use of the model.
 */
public final class Parameters implements AutoCloseable {
  /** Elements that a parameter begins at a multiple of: 64 bytes of any type. */
  private static final long ALIGNMENT = 32;

  private final Scope scope;
  private final Map<String, Parameter> named;
  private final List<Group> groups;
  private Products products; // null: no norm was asked for yet

  /**
   * Parameters side by side, with gaps of zeros between them.
   *
   * @param isDecayed whether weight decay is for them
   * @param value all values, float32, a vector
   * @param computed what models compute with: the value, or a copy of it
   * @param gradient all gradients, float32; null if they are for inference
   */
  public record Group(boolean isDecayed, Tensor value, Tensor computed, Tensor gradient) {
    /** True if models compute with a copy, which is to follow the value. */
    public boolean hasCopy() {
      return computed.dtype() != value.dtype();
    }

    /**
     * All gradients, float32.
     *
     * @throws IllegalStateException if these are parameters for inference
     */
    @Override
    public Tensor gradient() {
      if (gradient == null) {
        throw new IllegalStateException("parameters for inference have no gradients");
      }
      return gradient;
    }
  }

  private Parameters(Scope scope, Map<String, Parameter> named, List<Group> groups) {
    this.scope = scope;
    this.named = named;
    this.groups = groups;
  }

  /**
   * Memory on {@code device} for a model that computes in float32; first values by {@code seed}.
   */
  public static Parameters of(Module module, Device device, long seed) {
    return of(module, device, DType.FLOAT32, seed);
  }

  /**
   * Memory for a model.
   *
   * @param dtype what it computes in; values and gradients are float32 in any case (Micikevicius et
   *     al., Mixed precision training, 2018, arXiv 1710.03740). In float16 losses are to be scaled:
   *     {@link dev.fovea.nn.train.LossScale}
   * @param seed of the first values
   * @throws IllegalArgumentException if {@code dtype} is no floating type
   * @throws IllegalStateException if a parameter has memory already
   * @throws RuntimeException as {@link Scope#allocate}
   */
  public static Parameters of(Module module, Device device, DType dtype, long seed) {
    return of(
        module,
        device,
        dtype,
        true,
        parameters -> {
          parameters.named.forEach((name, parameter) -> initialize(name, parameter, seed));
          parameters.changed();
        });
  }

  /**
   * Memory for a model that is never trained and whose values come from a file: zeros, float32, and
   * no gradients.
   *
   * @throws IllegalStateException if a parameter has memory already
   * @throws RuntimeException as {@link Scope#allocate}
   */
  public static Parameters forInference(Module module, Device device) {
    return of(module, device, DType.FLOAT32, false, parameters -> {});
  }

  private static Parameters of(
      Module module, Device device, DType dtype, boolean hasGradients, Consumer<Parameters> begin) {
    Map<String, Parameter> named = module.namedParameters();
    named.forEach(Parameters::requireNew);
    Scope scope = Scope.open(device);
    try {
      Group decayed = place(scope, named, true, dtype, hasGradients);
      Group others = place(scope, named, false, dtype, hasGradients);
      Parameters parameters = new Parameters(scope, named, List.of(decayed, others));
      begin.accept(parameters);
      return parameters;
    } catch (Throwable t) {
      named.values().forEach(Parameter::forget);
      scope.close();
      throw t;
    }
  }

  private static void requireNew(String name, Parameter parameter) {
    if (parameter.hasMemory()) {
      throw new IllegalStateException(name + " has memory already, of other Parameters");
    }
  }

  private static Group place(
      Scope scope,
      Map<String, Parameter> named,
      boolean decayed,
      DType dtype,
      boolean hasGradients) {
    Map<String, Parameter> own = new LinkedHashMap<>(named);
    own.values().removeIf(it -> it.isDecayed() != decayed);
    long total = own.values().stream().mapToLong(Parameters::room).reduce(0, Math::addExact);
    Tensor value = scope.allocate(DType.FLOAT32, total);
    Tensor computed = dtype == DType.FLOAT32 ? value : scope.allocate(dtype, total);
    Tensor gradient = hasGradients ? scope.allocate(DType.FLOAT32, total) : null;
    long at = 0;
    for (Map.Entry<String, Parameter> each : own.entrySet()) {
      Parameter it = each.getValue();
      Tensor derivative = hasGradients ? part(gradient, at, it) : null;
      it.place(each.getKey(), part(value, at, it), part(computed, at, it), derivative);
      at += room(it);
    }
    return new Group(decayed, value, computed, gradient);
  }

  private static long room(Parameter it) {
    return Math.ceilDiv(it.elements(), ALIGNMENT) * ALIGNMENT;
  }

  private static Tensor part(Tensor all, long from, Parameter of) {
    return all.slice(0, from, from + of.elements()).reshape(of.shape());
  }

  private static void initialize(String name, Parameter parameter, long seed) {
    float[] values = new float[Math.toIntExact(parameter.elements())];
    // Of the name alone: what else a model has changes nothing.
    SplittableRandom random = new SplittableRandom(hash(seed, name));
    parameter.initializer().set(values, parameter.shape(), random);
    parameter.value().copyFrom(values);
  }

  private static long hash(long seed, String name) {
    long hash = seed;
    for (int i = 0; i < name.length(); i++) {
      hash =
          0x9E3779B97F4A7C15L * (hash ^ name.charAt(i))
              + 1; // 32 bits might be those of another name
    }
    return hash;
  }

  /** The parameters by their paths, in the order of the model. */
  public Map<String, Parameter> named() {
    return named;
  }

  /** All parameters, in the order of the model. */
  public Collection<Parameter> all() {
    return named.values();
  }

  /** Those with weight decay and those without, each in one block. */
  public List<Group> groups() {
    return groups;
  }

  /** Numbers that training changes. */
  public long count() {
    return named.values().stream().mapToLong(Parameter::elements).sum();
  }

  /** Where they lie. */
  public Device device() {
    return scope.device();
  }

  /** To be called after values have been written by other means than an optimiser. */
  public void changed() {
    for (Group group : groups) {
      if (group.hasCopy()) {
        group.computed().copyFrom(group.value());
      }
    }
  }

  /** The square root of the sum of the squares of all gradients. */
  public double gradientNorm() {
    double squares = 0;
    for (Group group : groups) {
      double norm = norm(group.gradient());
      squares += norm * norm;
    }
    return Math.sqrt(squares);
  }

  /** Likewise of one of the parameters. */
  public double gradientNorm(Parameter parameter) {
    return norm(parameter.gradient().reshape(-1));
  }

  private double norm(Tensor vector) {
    if (products == null) {
      products = Products.of(scope);
    }
    return products.norm(vector);
  }

  /** Sets all gradients to zero. */
  public void zeroGradients() {
    groups.forEach(group -> group.gradient().fill(0));
  }

  /** Frees the memory. */
  @Override
  public void close() {
    scope.close();
  }
}
