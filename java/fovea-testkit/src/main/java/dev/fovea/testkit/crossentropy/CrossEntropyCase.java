package dev.fovea.testkit.crossentropy;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaCrossEntropySpec;
import dev.fovea.ffi.NativeCrossEntropy;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One cross-entropy, or the backward pass of one, described completely: everything else (operands,
 * expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make
 * them.
 *
 * @param sizes of its tensors
 * @param dtype of logits
 * @param smoothing share of a target that all classes have alike
 * @param ignored share of the rows whose target is negative
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record CrossEntropyCase(
    CrossEntropySizes sizes,
    DType dtype,
    float smoothing,
    double ignored,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of logits. */
  public enum Content {
    /** N(0,1) times 2 everywhere. */
    NORMAL,
    /** The same, with one in a thousand values 20 times as large. */
    OUTLIERS,
    /** Every logit the same: roundings lean one way. */
    CONSTANT,
    /** 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** That of the target is 12 above all others, as after training. */
    CONFIDENT,
    /** N(0,1) times 100: one class has all of the probability. */
    WIDE,
    /** N(0,1) and a number far from 0 in common. */
    FAR,
    /** Each larger than the one before it. */
    RISING,
    /** A tenth of them is -infinity. */
    HOLES,
    /** That of the target is -infinity, in one row. */
    HOLE_AT_TARGET,
    /** All of one row are -infinity. */
    NOTHING,
    /** The largest finite number in one element, of either sign. */
    LARGEST,
    /** +infinity in one element. */
    INFINITY,
    /** A NaN in one element. */
    NAN,
    /** A NaN in dout of one row, where there is any; else {@link #NORMAL}. */
    NAN_IN_DOUT
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeCrossEntropy.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  @Override
  public DType outDType() {
    return DType.FLOAT32;
  }

  /** Where a row of logits, or of their gradient, begins. */
  int rowAt(String name, int b, int s) {
    return layout(name).at(new long[] {b, s});
  }

  /** Where what there is one of for a row lies. */
  int at(String name, int b, int s) {
    return layout(name).at(new long[] {b}) + s;
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("rows", sizes.batch() * sizes.length());
    all.put("V", sizes.classes());
    return all;
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data));
  }

  /** What must stand in the outputs, by name: the same on every device. */
  Map<String, Expected> expected(Operands data) {
    return Oracle.run(this, data);
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return CrossEntropyBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaCrossEntropySpec.LABEL_SMOOTHING.set(spec, smoothing);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "cross-entropy %s %s smoothing=%s ignored=%s %s guard=%s par=%d %s| %s"
        .formatted(
            sizes,
            dtype,
            smoothing,
            ignored,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
