package dev.fovea.bench;

import dev.fovea.Tensor;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The peer: libtorch's scaled_dot_product_attention on the CPU, over the very memory that Fovea
 * reads. Belongs to one thread.
 *
 * <p>Its best setting: inference mode, its flash kernel and never the plain one, as many OpenMP
 * threads as the benchmark has, but one thread of OpenBLAS in each. Its own switch for threads does
 * not reach OpenBLAS, and two of both oversubscribe two cores: {@code bench/run} sets
 * OPENBLAS_NUM_THREADS=1 before the process starts.
 */
final class Libtorch implements AutoCloseable {

  private static final String LIBRARY = "/org/bytedeco/pytorch/linux-x86_64/libtorch_cpu.so";

  private final InferenceMode inference = new InferenceMode(true);
  private final TensorOptional noMask = new TensorOptional();
  private final DoubleOptional defaultScale = new DoubleOptional();

  /** Loads the library; {@code threads} for OpenMP. */
  Libtorch(int threads) {
    torch.set_num_threads(threads);
    // With the plain kernel forbidden, a call that the flash kernel cannot do is an error.
    torch.globalContext().setSDPUseMath(false);
    torch.globalContext().setSDPUseFlash(true);
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

  /** Binds the operands of {@code attention}. */
  Call call(FoveaAttention attention) {
    return new Call(attention);
  }

  /** The operands, without a copy, as libtorch's tensors [B, H, S, D] of any stride order. */
  final class Call implements AutoCloseable {

    private final FoveaAttention attention;
    private final org.bytedeco.pytorch.Tensor query;
    private final org.bytedeco.pytorch.Tensor key;
    private final org.bytedeco.pytorch.Tensor value;

    private Call(FoveaAttention attention) {
      this.attention = attention;
      query = tensor(attention.query());
      key = tensor(attention.key());
      value = tensor(attention.value());
    }

    /** Computes attention into a new tensor, which libtorch always does, and frees it. */
    void run() {
      compute().close();
    }

    /** The result in the order [B, S, H, D]. */
    float[] result() {
      try (org.bytedeco.pytorch.Tensor out = compute();
          org.bytedeco.pytorch.Tensor ordered = out.transpose(1, 2);
          org.bytedeco.pytorch.Tensor floats = ordered.toType(ScalarType.Float);
          org.bytedeco.pytorch.Tensor dense = floats.contiguous()) {
        float[] values = new float[Math.toIntExact(dense.numel())];
        dense.data_ptr_float().get(values);
        return values;
      }
    }

    private org.bytedeco.pytorch.Tensor compute() {
      boolean causal = attention.problem().causal();
      return torch.scaled_dot_product_attention(
          query, key, value, noMask, 0, causal, defaultScale, false);
    }

    @Override
    public void close() {
      query.close();
      key.close();
      value.close();
    }
  }

  private static org.bytedeco.pytorch.Tensor tensor(Tensor bshd) {
    Tensor t = bshd.permute(0, 2, 1, 3);
    ScalarType type =
        switch (t.dtype()) {
          case FLOAT32 -> ScalarType.Float;
          case FLOAT16 -> ScalarType.Half;
          case BFLOAT16 -> ScalarType.BFloat16;
          case INT32 -> throw new IllegalArgumentException("attention over INT32");
        };
    try (Pointer memory = new Pointer(t.segment().asByteBuffer());
        TensorOptions options = new TensorOptions(type)) {
      return torch.from_blob(memory, t.shape(), t.strides(), options);
    }
  }

  @Override
  public void close() {
    inference.close();
  }
}
