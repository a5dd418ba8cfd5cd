package dev.fovea.testkit.rotary;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaRotarySpec;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeRotary;
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
 * One rotary position embedding, or the backward pass of one, described completely: everything else
 * (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link
 * CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of x
 * @param outDType of out
 * @param interleaved whether the elements of a pair are neighbours
 * @param order of positions, if the case has any
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record RotaryCase(
    RotarySizes sizes,
    DType dtype,
    DType outDType,
    boolean interleaved,
    Order order,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of values of what is turned: of x, or of dout in a backward pass. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** Subnormal in its type: elements that are copied keep their bits. */
    SUBNORMAL,
    /** The largest finite number in one element, of either sign. */
    LARGEST,
    /** An infinity in one element, of either sign. */
    INFINITY,
    /** A NaN in one element: reaches its pair, or itself alone. */
    NAN,
    /** A NaN in one element of a table: reaches a pair of every head. */
    NAN_IN_TABLE
  }

  /** Which rows of the tables positions are. */
  public enum Order {
    /** One behind the other from some row on, and from row 0 again behind the last. */
    CONSECUTIVE,
    /** Any. */
    ANY,
    /** The same for all. */
    SAME
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeRotary.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** What is turned. */
  String source() {
    return isBackward() ? "dout" : "x";
  }

  /** The element of a row that is the first of a pair. */
  int first(int pair) {
    return interleaved ? 2 * pair : pair;
  }

  /** The element of a row that is the second of a pair. */
  int second(int pair) {
    return interleaved ? 2 * pair + 1 : pair + sizes.pairs();
  }

  /** Where a sequence begins in positions. */
  int positionsAt(int b) {
    return layout("positions").at(new long[] {own("positions", b)});
  }

  /** Where the row of a table begins that a sequence has at a position. */
  int tableAt(String table, int b, int position) {
    return layout(table).at(new long[] {own(table, b), position});
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("B", sizes.batch());
    all.put("S", sizes.length());
    all.put("H", sizes.heads());
    all.put("D", sizes.headDim());
    all.put("C", sizes.pairs());
    all.put("P", sizes.positionCount());
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
    return RotaryBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaRotarySpec.INTERLEAVED.set(spec, interleaved ? 1 : 0);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "rotary %s %s->%s %s %s%s guard=%s par=%d %s| %s"
        .formatted(
            sizes,
            dtype,
            outDType,
            interleaved ? "interleaved" : "half-split",
            has("positions") ? order + " " : "",
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
