package dev.fovea.testkit.embedding;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaEmbeddingSpec;
import dev.fovea.ffi.NativeEmbedding;
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
 * One embedding lookup, or the backward pass of one, described completely: everything else
 * (operands, expected outputs) follows from it. Immutable; {@link CaseBuilder} and {@link
 * CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of table and positions
 * @param outDType of out
 * @param scale of the rows of table; null where none is given
 * @param padding the id whose row of table has no gradient; -1 for none
 * @param ids which there are
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param gradients what the backward pass gives; null for the forward pass
 * @param repeat the command that repeats the case
 */
public record EmbeddingCase(
    EmbeddingSizes sizes,
    DType dtype,
    DType outDType,
    Float scale,
    int padding,
    Ids ids,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    Gradients gradients,
    String repeat)
    implements OperationCase {

  /** Kinds of values of what is read: of both tables, or of dout in a backward pass. */
  public enum Content {
    /** N(0,1) everywhere. */
    NORMAL,
    /** N(0,1) with one in a thousand values from N(0,10). */
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

  /** Which ids there are. */
  public enum Ids {
    /** Any, each as often. */
    ANY,
    /** A few of them often, as words are. */
    SKEWED,
    /** The same for all. */
    SAME,
    /** As many as can be: no two alike before all have been. */
    DISTINCT
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeEmbedding.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** Where the row of a table begins. */
  int rowAt(String table, int row) {
    return layout(table).at(new long[] {row});
  }

  /** Where the row of a token begins in out or dout. */
  int tokenAt(String name, int b, int s) {
    return layout(name).at(new long[] {b, s});
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("tokens", sizes.batch() * sizes.length());
    all.put("V", sizes.vocabulary());
    all.put("D", sizes.width());
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
    return EmbeddingBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    if (scale != null) {
      FoveaEmbeddingSpec.HAS_SCALE.set(spec, 1);
      FoveaEmbeddingSpec.SCALE.set(spec, scale);
    }
    if (padding >= 0) {
      FoveaEmbeddingSpec.HAS_PADDING.set(spec, 1);
      FoveaEmbeddingSpec.PADDING.set(spec, padding);
    }
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "embedding %s %s->%s scale=%s padding=%d ids=%s %s guard=%s par=%d %s| %s"
        .formatted(
            sizes,
            dtype,
            outDType,
            scale,
            padding,
            ids,
            content,
            guard,
            parallelism,
            isBackward() ? gradients + " " : "",
            layouts);
  }
}
