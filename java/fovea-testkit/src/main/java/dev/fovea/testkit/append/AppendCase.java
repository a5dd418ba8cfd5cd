package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaAppendSpec;
import dev.fovea.ffi.NativeAppend;
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
 * One append to a cache, described completely: everything else (operands, expected outputs) follows
 * from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of key and value
 * @param cacheDType of the cache
 * @param interleaved whether the elements of a pair are neighbours
 * @param order of positions, if the case has any
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param repeat the command that repeats the case
 */
public record AppendCase(
    AppendSizes sizes,
    DType dtype,
    DType cacheDType,
    boolean interleaved,
    Order order,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    String repeat)
    implements OperationCase {

  /** Kinds of values of what is appended. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
    OUTLIERS,
    /** 1e-6 times N(0,1): subnormal in float16. */
    TINY,
    /** Subnormal in its type: scales are the least that there are. */
    SUBNORMAL,
    /** Zeros of either sign. */
    ZEROS,
    /** Each row times a power of two from 2^-6 to 2^9. */
    RISING,
    /** The largest finite number in one element, of either sign. */
    LARGEST,
    /** An infinity in one element, of either sign. */
    INFINITY,
    /** A NaN in one element. */
    NAN,
    /** A NaN in one element of a table. */
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
    return NativeAppend.OPERATION;
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

  @Override
  public DType outDType() {
    return dtype;
  }

  /** True if elements are not of a floating type in the cache. */
  boolean isQuantized() {
    return cacheDType.isQuantized();
  }

  /** Whether rows of a page, or of a sequence without pages, have one scale. */
  boolean sharesScale(String of) {
    return has(of + "_scales") && layout(of + "_scales").size()[1] == 1;
  }

  /** Columns of key, or of value. */
  int columns(String of) {
    return of.equals("key") ? sizes.headDim() : sizes.valueHeadDim();
  }

  /** Bytes, or elements, of one of their rows in the cache. */
  int cacheColumns(String of) {
    return columns(of) / cacheDType.packedValues();
  }

  /** Where a new row begins. */
  int at(String of, int b, int s, int h) {
    int sequence = sizes.packed() ? 0 : b;
    return layout(of).at(sequence, sizes.origin(b) + s, h);
  }

  /** Where a row of the cache begins. */
  int cacheAt(String of, int b, int row, int h) {
    return layout(of + "_cache").at(sizes.block(b, row), sizes.rowOfBlock(row), h);
  }

  /** Where the scale of a row of the cache is. */
  int scaleAt(String of, int b, int row, int h) {
    long inBlock = sharesScale(of) ? 0 : sizes.rowOfBlock(row);
    return layout(of + "_scales").at(new long[] {sizes.block(b, row), inBlock}) + h;
  }

  /** The first row, of those before too, that has the scale of a new one. */
  int firstOfScale(String of, int b, int row) {
    return !sharesScale(of) ? row : sizes.paged() ? row - row % sizes.pageSize() : 0;
  }

  /** The row behind the last new one that has the scale of {@code row}. */
  int endOfScale(String of, int b, int row) {
    int end = sizes.starts()[b] + sizes.rows()[b];
    return !sharesScale(of)
        ? row + 1
        : sizes.paged() ? Math.min(end, firstOfScale(of, b, row) + sizes.pageSize()) : end;
  }

  /** The element of a row that is the first of a pair. */
  int first(int pair) {
    return interleaved ? 2 * pair : pair;
  }

  /** The element of a row that is the second of a pair. */
  int second(int pair) {
    return interleaved ? 2 * pair + 1 : pair + sizes.pairs();
  }

  /** Where the new rows of a sequence begin in positions. */
  int positionsAt(int b) {
    return layout("positions").at(new long[] {own("positions", b)}) + sizes.origin(b);
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
    all.put("Hk", sizes.heads());
    all.put("D", sizes.headDim());
    all.put("Dv", sizes.valueHeadDim());
    all.put("Sk", sizes.cacheLength());
    all.put("Z", sizes.pageSize());
    all.put("C", sizes.pairs());
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
    Map<String, Expected> rounded = Rounded.run(this, data);
    Oracle.check(this, data, rounded);
    return rounded;
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return AppendBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaAppendSpec.INTERLEAVED.set(spec, interleaved ? 1 : 0);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "append %s %s->%s %s%s%s guard=%s par=%d | %s"
        .formatted(
            sizes,
            dtype,
            cacheDType,
            has("cosines") ? interleaved ? "interleaved " : "half-split " : "",
            has("positions") ? order + " " : "",
            content,
            guard,
            parallelism,
            layouts);
  }
}
