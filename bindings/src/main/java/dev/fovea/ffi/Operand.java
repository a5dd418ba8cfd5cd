package dev.fovea.ffi;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * What a pass of an operation takes or gives, as its declaration has it.
 *
 * @param name in C, "cu_seqlens_q"
 * @param type of its elements
 * @param written by a run
 * @param counts the size whose rows lengths and offsets count; null for a tensor
 * @param present the field that is not 0 where it is there; null if it always is
 * @param strides of all dimensions but the last, which is contiguous; null if it is dense
 * @param dims its dimensions; those of offsets have one element more
 * @param inPlace written over what it holds, which a run reads
 * @param paged in {@link Pages}, where there are any
 */
public record Operand(
    String name,
    Type type,
    boolean written,
    Size counts,
    Field.Int32 present,
    Field.Int64Array strides,
    List<Dim> dims,
    boolean inPlace,
    boolean paged) {

  /** One that is read or written, not both, and not in pages. */
  public Operand(
      String name,
      Type type,
      boolean written,
      Size counts,
      Field.Int32 present,
      Field.Int64Array strides,
      List<Dim> dims) {
    this(name, type, written, counts, present, strides, dims, false, false);
  }

  /** Rows of vectors, such as [B, Sq, Hq, D]: positions before heads. */
  public boolean isRows() {
    return dims.size() == 4
        && !sums()
        && (type == Type.QUERY
            || type == Type.SPEC
            || type == Type.CACHE
            || type == Type.OUT
            || type == Type.GRADIENT);
  }

  /** True if the elements of its last dimension lie side by side; else that is of one element. */
  public boolean isContiguous() {
    return dims.getLast().size() != null;
  }

  /** True if one element may stand for all of a dimension. */
  public boolean sums() {
    return dims.stream().anyMatch(Dim::sums);
  }

  /**
   * The dimensions that a tensor has: not those of one element beside others, and no batch where it
   * is packed.
   *
   * @param pages where rows lie in pages; else null
   */
  public List<Axis> axes(boolean packed, Pages pages) {
    if (paged && pages != null) {
      List<Axis> axes = new ArrayList<>();
      axes.add(new Axis(pages.count().symbol(), false, dims.get(0).sums()));
      axes.add(new Axis(pages.rows().symbol(), false, dims.get(1).sums()));
      for (Dim dim : dims.subList(2, dims.size())) {
        axes.add(new Axis(dim.size().symbol(), false, dim.sums()));
      }
      return axes;
    }
    if (dims.equals(List.of(Dim.ONE))) {
      return List.of(Axis.ONE);
    }
    Predicate<Dim> isPacked = dim -> dim.isPacked() && (pages == null || dim.size() != pages.of());
    boolean ragged = packed && dims.stream().anyMatch(isPacked);
    List<Axis> axes = new ArrayList<>();
    boolean seen = false; // the dimension of all rows
    for (Dim dim : ragged ? dims.subList(1, dims.size()) : dims) {
      if (dim.size() == null) {
        continue;
      }
      if (ragged && isPacked.test(dim) && !seen) {
        axes.add(new Axis(dim.size().totalSymbol(), false, dim.sums()));
        seen = true;
      } else {
        axes.add(new Axis(dim.size().symbol(), ragged && dim.isPacked(), dim.sums()));
      }
    }
    return axes;
  }

  /** Whose type the elements have. */
  public enum Type {
    /** {@code spec.dtype}. */
    SPEC,
    /** The same, which may be one that only caches have beside it. */
    QUERY,
    /** {@code spec.cache_dtype}. */
    CACHE,
    /** {@code spec.out_dtype}. */
    OUT,
    /** {@code spec.gradient_dtype}. */
    GRADIENT,
    /** That which its own field says, {@link Operand#present}. */
    OWN,
    FLOAT32,
    INT32,
    /** A byte that is 0 or not. */
    BOOL,
    /** int32, one more than there are sequences. */
    OFFSETS
  }

  /**
   * A dimension.
   *
   * @param size how many elements it has; null for one
   * @param sums an input may have one element for all, an output a sum over all
   */
  public record Dim(Size size, boolean sums) {
    static final Dim ONE = new Dim(null, false);

    /** True if packed sequences lie end to end in it. */
    public boolean isPacked() {
      return size != null && size.total != null;
    }
  }

  /**
   * Rows of a size that lie in pages, of operands that are {@link Operand#paged}: their first two
   * dimensions are these sizes then, and sequences of them are not packed.
   *
   * @param present the field that is not 0 where they do
   * @param count of pages
   * @param rows of a page
   * @param of the size
   */
  public record Pages(Field.Int32 present, Size count, Size rows, Size of) {}

  /**
   * A dimension that a tensor may have, with its text in messages.
   *
   * @param symbol of its size, or of the rows of all packed sequences
   * @param longest as wide as the longest of packed sequences
   * @param sums as {@link Dim#sums}
   */
  public record Axis(String symbol, boolean longest, boolean sums) {
    /** The only one of a tensor of one element. */
    public static final Axis ONE = new Axis("1", false, false);

    @Override
    public String toString() {
      return (longest ? "longest " : "") + symbol + (sums ? " or 1" : "");
    }
  }

  /**
   * A size of an operation.
   *
   * @param symbol in shapes, "Sq"
   * @param rows its field
   * @param total of all packed sequences; null if they have no rows of their own
   * @param totalSymbol of that, "Tq"
   */
  public record Size(
      String name, String symbol, Field.Int64 rows, Field.Int64 total, String totalSymbol) {}
}
