package dev.fovea;

import dev.fovea.ffi.FoveaNormSpec;
import java.lang.foreign.MemorySegment;

/**
 * The backward pass of a {@link NormalizationCall}: from the gradient of out those of x, weight and
 * bias.
 *
 * <p>Elementwise, with z = (x - mu) r and g = dout weight, and means over a row:
 *
 * <pre>
 *   dx      = r (g - mean(g) - z mean(g z))      without mean(g) of rms
 *   dweight = sum_bs dout z
 *   dbias   = sum_bs dout
 * </pre>
 *
 * <p>dweight and dbias of a weight and bias that heads share are sums over them, too. Sums are in a
 * fixed order: every run gives the same bits. {@link #accumulate} adds to dweight and dbias, {@link
 * #accumulateDx} to dx.
 *
 * <p>Sources: Ba, Kiros and Hinton, Layer normalization, 2016, arXiv 1607.06450; Zhang and
 * Sennrich, Root mean square layer normalization, 2019, arXiv 1910.07467.
 */
public final class NormalizationBackward extends OperationBackward<NormalizationBackward> {
  private boolean accumulateDx;

  NormalizationBackward(NormalizationCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: its shape, of any floating type, with a contiguous last
   * dimension. Null for {@link #backward} to make one. Like all gradients it shares no element with
   * another or with what is read.
   */
  public NormalizationBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /** Where the gradient of weight goes: its shape, {@link DType#FLOAT32}. Null for nowhere. */
  public NormalizationBackward dweight(Tensor dweight) {
    return bind("dweight", NormalizationCall.rows(dweight));
  }

  /** Where the gradient of bias goes: its shape, {@link DType#FLOAT32}. Null for nowhere. */
  public NormalizationBackward dbias(Tensor dbias) {
    return bind("dbias", NormalizationCall.rows(dbias));
  }

  /**
   * Whether the gradient of x is added to what dx holds, such as that of the branch around a layer,
   * instead of replacing it; in float32, and rounded once. Off unless set. Gradients of weight and
   * bias are as {@link #accumulate} says.
   */
  public NormalizationBackward accumulateDx(boolean accumulate) {
    return change(() -> accumulateDx = accumulate);
  }

  /**
   * Runs, and returns dx: a new dense tensor in {@code scope}, of the type of x, where none is set.
   * The new one is not kept, and was 0 if dx is added to.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dx");
  }

  @Override
  void fill(MemorySegment spec) {
    FoveaNormSpec.ACCUMULATE_DX.set(spec, accumulateDx ? 1 : 0);
  }
}
