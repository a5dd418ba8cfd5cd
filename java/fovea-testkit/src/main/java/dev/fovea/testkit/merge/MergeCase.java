package dev.fovea.testkit.merge;

import dev.fovea.DType;
import dev.fovea.ffi.NativeMerge;
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
 * One merge of partial results, described completely: everything else (operands, expected outputs)
 * follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of outs
 * @param outDType of out
 * @param lses how those of a row differ
 * @param empty whether parts without keys are among them
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values of outs
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param repeat the command that repeats the case
 */
public record MergeCase(
    MergeSizes sizes,
    DType dtype,
    DType outDType,
    Lses lses,
    boolean empty,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    String repeat)
    implements OperationCase {

  /** How the lses of a row differ, and its sink. */
  public enum Lses {
    /** N(0,4): every part counts. */
    NORMAL,
    /** N(0,1600): most parts are nothing beside one. */
    SPREAD,
    /** The same for all parts of a row. */
    EQUAL,
    /** One part of a row is 100 above the others, which add nothing. */
    DOMINATED,
    /** Up to 89 below the largest: weights at the end of float32. */
    FAINT,
    /** Around a number of up to 1e6 of a row. */
    LARGE,
    /** One is +infinity or NaN. */
    NO_NUMBER
  }

  /** Kinds of values of outs. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,100). */
    OUTLIERS,
    /** Every value the same: roundings of a sum lean one way. */
    CONSTANT,
    /** 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** Subnormal in its type. */
    SUBNORMAL,
    /** The largest finite number in one element, of either sign. */
    LARGEST,
    /** An infinity in one element, of either sign. */
    INFINITY,
    /** A NaN in one element. */
    NAN
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeMerge.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** None: there is no backward pass. */
  @Override
  public Gradients gradients() {
    return null;
  }

  int outsAt(int p, int b, int i, int h) {
    return layout("outs").at(new long[] {p, b, i, h});
  }

  int lsesAt(int p, int b, int h, int i) {
    return layout("lses").at(new long[] {p, b, h}) + i;
  }

  int outAt(int b, int i, int h) {
    return layout("out").at(new long[] {b, i, h});
  }

  int lseAt(int b, int h, int i) {
    return layout("lse").at(new long[] {b, h}) + i;
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("rows", sizes.rows());
    all.put("P", sizes.parts());
    all.put("Dv", sizes.width());
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
    return MergeBinding.bind(this, run);
  }

  /** A merge has no options. */
  @Override
  public void fill(MemorySegment spec) {}

  /** One line for people. */
  @Override
  public String toString() {
    return "merge %s %s->%s lses=%s%s %s guard=%s par=%d | %s"
        .formatted(
            sizes,
            dtype,
            outDType,
            lses,
            empty ? "+empty" : "",
            content,
            guard,
            parallelism,
            layouts);
  }
}
