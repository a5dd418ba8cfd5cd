package dev.fovea.bench;

import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The peer: libtorch's scaled_dot_product_attention on the CPU and its gradients by autograd, over
 * the very memory that Fovea reads. Belongs to one thread.
 *
 * <p>Its best setting: for each problem the faster of its two kernels, forward in inference mode,
 * as many OpenMP threads as the benchmark has, but one thread of OpenBLAS in each. Its own switch
 * for threads does not reach OpenBLAS, and two of both oversubscribe two cores: {@code bench/run}
 * sets OPENBLAS_NUM_THREADS=1 before the process starts.
 */
final class Libtorch {

  /** A kernel of scaled_dot_product_attention. */
  enum Kernel {
    FLASH,
    /**
     * Holds all weights at once and, in the backward pass, has them from the forward. Several times
     * as fast as the other where that has no fast product of a 16-bit type: bfloat16 without AMX.
     */
    PLAIN;

    /** In tables and reports. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final String LIBRARY = "/org/bytedeco/pytorch/linux-x86_64/libtorch_cpu.so";

  /** Runs of each kernel, of which the fastest says which is used: the first is slow. */
  private static final int TRIALS = 3;

  /**
   * Loads the library; {@code threads} for OpenMP.
   *
   * @throws IllegalStateException if it is not {@linkplain #isPresent there}
   */
  Libtorch(int threads) {
    if (!isPresent()) {
      throw new IllegalStateException("libtorch is not on the class path: build with -Ppeers");
    }
    torch.set_num_threads(threads);
  }

  /** Whether the natives are on the class path: {@code -Ppeers} puts them there. */
  static boolean isPresent() {
    return Libtorch.class.getResource(LIBRARY) != null;
  }

  /** Its version, and the instruction sets that it chose. */
  String version() {
    String config = torch.show_config().getString();
    int at = config.indexOf("TORCH_VERSION=");
    String version = at < 0 ? "?" : config.substring(at + 14, config.indexOf(',', at));
    return "%s (org.bytedeco:pytorch), ATen %s"
        .formatted(version, torch.get_cpu_capability().getString());
  }

  /** Binds the operands of {@code attention}, to the kernel that is faster there. One at a time. */
  Call call(FoveaAttention attention) {
    Call call =
        attention instanceof FoveaBackward backward
            ? new Backward(backward)
            : new Forward(attention);
    call.choose();
    return call;
  }

  /** The operands, without a copy, as libtorch's tensors [B, H, S, D] of any stride order. */
  abstract static sealed class Call implements AutoCloseable {

    private final InferenceMode inference;
    private final TensorOptional noMask = new TensorOptional();
    private final DoubleOptional defaultScale = new DoubleOptional();
    private final boolean causal;
    final org.bytedeco.pytorch.Tensor query;
    final org.bytedeco.pytorch.Tensor key;
    final org.bytedeco.pytorch.Tensor value;
    private Kernel kernel;

    private Call(FoveaAttention attention, boolean inference) {
      this.inference = new InferenceMode(inference);
      causal = attention.problem().causal();
      query = bhsd(attention.query());
      key = bhsd(attention.key());
      value = bhsd(attention.value());
    }

    private void choose() {
      long flash = nanoseconds(Kernel.FLASH);
      long plain = nanoseconds(Kernel.PLAIN);
      use(flash <= plain ? Kernel.FLASH : Kernel.PLAIN);
    }

    private long nanoseconds(Kernel kernel) {
      use(kernel);
      long best = Long.MAX_VALUE;
      for (int i = 0; i < TRIALS; i++) {
        long start = System.nanoTime();
        run();
        best = Math.min(best, System.nanoTime() - start);
      }
      return best;
    }

    /** With the other kernel forbidden, what this one cannot do is an error. */
    void use(Kernel kernel) {
      this.kernel = kernel;
      torch.globalContext().setSDPUseFlash(kernel == Kernel.FLASH);
      torch.globalContext().setSDPUseMath(kernel == Kernel.PLAIN);
    }

    /** The kernel that runs. */
    final Kernel kernel() {
      return kernel;
    }

    /** Computes into new tensors, which libtorch always does, and frees them. */
    abstract void run();

    /** The results in the order [B, S, H, D], as {@link FoveaAttention#outputs} has them. */
    abstract List<float[]> results();

    final org.bytedeco.pytorch.Tensor forward() {
      return torch.scaled_dot_product_attention(
          query, key, value, noMask, 0, causal, defaultScale, false);
    }

    @Override
    public void close() {
      query.close();
      key.close();
      value.close();
      inference.close();
    }
  }

  private static final class Forward extends Call {

    private Forward(FoveaAttention attention) {
      super(attention, true);
    }

    @Override
    void run() {
      forward().close();
    }

    @Override
    List<float[]> results() {
      try (org.bytedeco.pytorch.Tensor out = forward()) {
        return List.of(bshd(out));
      }
    }
  }

  /** The graph of the forward pass is built before and kept; what runs is autograd through it. */
  private static final class Backward extends Call {

    private final org.bytedeco.pytorch.Tensor dout;
    private final TensorVector leaves;
    private final TensorVector douts;
    private final BoolOptional retainGraph = new BoolOptional(true);
    private TensorVector outs = new TensorVector();

    private Backward(FoveaBackward backward) {
      super(backward, false);
      query.set_requires_grad(true);
      key.set_requires_grad(true);
      value.set_requires_grad(true);
      dout = bhsd(backward.dout());
      leaves = new TensorVector(query, key, value);
      douts = new TensorVector(dout);
    }

    @Override
    void use(Kernel kernel) {
      super.use(kernel);
      outs.close();
      try (org.bytedeco.pytorch.Tensor out = forward()) {
        outs = new TensorVector(out);
      }
    }

    @Override
    void run() {
      gradients().close();
    }

    @Override
    List<float[]> results() {
      try (TensorVector gradients = gradients()) {
        return Arrays.stream(gradients.get()).map(Libtorch::bshd).toList();
      }
    }

    private TensorVector gradients() {
      return torch.grad(outs, leaves, douts, retainGraph, false, false);
    }

    @Override
    public void close() {
      douts.close();
      leaves.close();
      outs.close();
      dout.close();
      super.close();
    }
  }

  /** The values of a tensor [B, H, S, D] in the order [B, S, H, D]. */
  private static float[] bshd(org.bytedeco.pytorch.Tensor tensor) {
    try (org.bytedeco.pytorch.Tensor ordered = tensor.transpose(1, 2)) {
      return values(ordered);
    }
  }

  /** The values of a tensor, in the order of its dimensions. */
  static float[] values(org.bytedeco.pytorch.Tensor tensor) {
    try (org.bytedeco.pytorch.Tensor floats = tensor.toType(ScalarType.Float);
        org.bytedeco.pytorch.Tensor dense = floats.contiguous()) {
      float[] values = new float[Math.toIntExact(dense.numel())];
      dense.data_ptr_float().get(values);
      return values;
    }
  }

  private static org.bytedeco.pytorch.Tensor bhsd(Tensor bshd) {
    return tensor(bshd.permute(0, 2, 1, 3));
  }

  /** The same memory. */
  static org.bytedeco.pytorch.Tensor tensor(Tensor t) {
    ScalarType type =
        switch (t.dtype()) {
          case FLOAT32 -> ScalarType.Float;
          case FLOAT16 -> ScalarType.Half;
          case BFLOAT16 -> ScalarType.BFloat16;
          default -> throw new IllegalArgumentException("attention over " + t.dtype());
        };
    try (Pointer memory = new Pointer(t.segment().asByteBuffer());
        TensorOptions options = new TensorOptions(type)) {
      return torch.from_blob(memory, t.shape(), t.strides(), options);
    }
  }
}
