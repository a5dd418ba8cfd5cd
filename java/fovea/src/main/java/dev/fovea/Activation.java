package dev.fovea;

import dev.fovea.ffi.FoveaActivationSpec;
import dev.fovea.ffi.NativeActivation;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * An activation function with what stands around it in a network, in one pass over memory: what to
 * compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With x [B, S, D] and f the function, of each element, where what is not given is left out:
 *
 * <pre>
 *   z = x + bias_d;  y = f(z);  y = y gate;  y = dropout(y);  out = y + residual
 * </pre>
 *
 * <p>A gate makes gated linear units of the functions: GLU of {@link #sigmoid}, SwiGLU of {@link
 * #silu}, GEGLU of {@link #gelu}. {@link #identity} is what a linear layer adds behind its product,
 * and its backward pass alone the sum of columns that is the gradient of a bias.
 *
 * <p>Arithmetic is float32. At an infinity f is its limit; NaN stays NaN. Dropout keeps an element
 * with probability 1 - p, and scales it by the inverse of that; one that it drops is 0, whatever it
 * was.
 *
 * <p>Sources: Hendrycks and Gimpel, Gaussian error linear units, 2016, arXiv 1606.08415; Elfwing et
 * al., Sigmoid-weighted linear units, 2017, arXiv 1702.03118, and Ramachandran et al., Searching
 * for activation functions, 2017, arXiv 1710.05941; Shazeer, GLU variants improve transformer,
 * 2020, arXiv 2002.05202; Srivastava et al., Dropout, Journal of Machine Learning Research 15,
 * 2014.
 */
public final class Activation {
  /** Functions f of a number z. */
  public enum Function {
    /** z. */
    IDENTITY,
    /** z where it is above 0, else 0; the derivative at 0 is 0. */
    RELU,
    /** z Phi(z), with Phi the normal distribution function: (1 + erf(z / sqrt(2))) / 2. */
    GELU,
    /** Close to GELU: z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2. */
    GELU_TANH,
    /** z sigmoid(z); also called swish. */
    SILU,
    /** 1 / (1 + exp(-z)). */
    SIGMOID,
    /** The hyperbolic tangent. */
    TANH
  }

  /** The fields of an {@link Activation}; a record for its equals and hashCode. */
  record Options(Function function, float dropout, DType outDType) // null: that of x
      implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeActivation.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
      FoveaActivationSpec.FUNCTION.set(
          spec,
          switch (function) {
            case IDENTITY -> 0;
            case RELU -> 1;
            case GELU -> 2;
            case GELU_TANH -> 3;
            case SILU -> 4;
            case SIGMOID -> 5;
            case TANH -> 6;
          });
      FoveaActivationSpec.DROPOUT.set(spec, dropout);
    }

    @Override
    public String toString() {
      return "Activation[%s%s%s]"
          .formatted(
              function,
              dropout == 0 ? "" : ", dropout=" + dropout,
              outDType == null ? "" : ", out=" + outDType);
    }
  }

  private final Options options;
  private final Activation eval; // this, where there is no dropout

  private Activation(Options options) {
    this.options = options;
    this.eval =
        options.dropout == 0
            ? this
            : new Activation(new Options(options.function, 0, options.outDType));
  }

  /** By a function, without dropout, out in the type of x. */
  public static Activation of(Function function) {
    Objects.requireNonNull(function, "function");
    return new Activation(new Options(function, 0, null));
  }

  /** {@link Function#IDENTITY}: bias, gate, dropout and residual alone. */
  public static Activation identity() {
    return of(Function.IDENTITY);
  }

  /** {@link Function#RELU}. */
  public static Activation relu() {
    return of(Function.RELU);
  }

  /** {@link Function#GELU}. */
  public static Activation gelu() {
    return of(Function.GELU);
  }

  /** {@link Function#GELU_TANH}. */
  public static Activation geluTanh() {
    return of(Function.GELU_TANH);
  }

  /** {@link Function#SILU}. */
  public static Activation silu() {
    return of(Function.SILU);
  }

  /** {@link Function#SIGMOID}. */
  public static Activation sigmoid() {
    return of(Function.SIGMOID);
  }

  /** {@link Function#TANH}. */
  public static Activation tanh() {
    return of(Function.TANH);
  }

  /**
   * The same that drops elements with that probability. Runs then need a seed ({@link
   * ActivationCall#dropoutSeed}).
   *
   * @param probability at least 0 and at most 65535/65536
   */
  public Activation dropout(double probability) {
    return new Activation(
        new Options(options.function, Check.dropout(probability), options.outDType));
  }

  /** The same with out in that floating type. */
  public Activation outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new Activation(new Options(options.function, options.dropout, dtype));
  }

  /**
   * The same without dropout, for inference; this, where there is none. Always the same object, so
   * that it may be asked for at every step.
   */
  public Activation eval() {
    return eval;
  }

  /**
   * Binds x [B, S, D], in any stride order but with a contiguous last dimension; tensors of other
   * ranks are {@linkplain Tensor#reshape reshaped}. Packed sequences are one: {@code
   * x.unsqueeze(0)}. Nothing is checked before the call is planned or run.
   */
  public ActivationCall call(Tensor x) {
    return new ActivationCall(this, x, new RunMemory());
  }

  /**
   * Computes into a new dense tensor of {@code scope}.
   *
   * @throws IllegalArgumentException if x does not fit
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if there is dropout, or a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x) {
    return scope.withMemory(memory -> new ActivationCall(this, x, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Activation that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(Activation.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
