package dev.fovea.testkit;

import dev.fovea.ffi.NativeOperation;
import java.util.List;

/** What random cases are of: an operation with its generator, and its oracle in the cases. */
public abstract class Operation {

  private final NativeOperation table;
  private final String name;
  private final List<Pass> passes;

  /** The cases of an operation. */
  @SuppressWarnings("exports") // for the operations in this module
  protected Operation(NativeOperation table) {
    this(table, table.name().replace('_', '-'), Pass.of(table));
  }

  /** Cases of some of what an operation does, under a name of their own. */
  @SuppressWarnings("exports") // for the operations in this module
  protected Operation(NativeOperation table, String name, List<Pass> passes) {
    this.table = table;
    this.name = name;
    this.passes = passes;
  }

  /** The passes that it has cases of. */
  public final List<Pass> passes() {
    return passes;
  }

  /** Its declaration: sizes and operands. */
  @SuppressWarnings("exports") // for the operations in this module
  public final NativeOperation table() {
    return table;
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public abstract CheckedCase generate(Pass pass, long seed, long index, Limits limits);

  /** The quantity of cases of which some must be the widest. */
  public String width() {
    return "D";
  }

  /** What that of some case of a check must be on a device of these limits. */
  public abstract int widest(Limits limits);

  /** Resource with the coverage that a check must reach. */
  final String minima(Pass pass, Limits limits) {
    return this + "-" + pass + limits.minima();
  }

  /** As the command line spells it. */
  @Override
  public final String toString() {
    return name;
  }
}
