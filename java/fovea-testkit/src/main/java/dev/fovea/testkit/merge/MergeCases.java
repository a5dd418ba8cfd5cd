package dev.fovea.testkit.merge;

import dev.fovea.ffi.NativeMerge;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of merges. */
public final class MergeCases extends Operation {

  /** The operation. */
  public static final MergeCases OPERATION = new MergeCases();

  private MergeCases() {
    super(NativeMerge.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(seed, index, limits);
  }

  @Override
  public String width() {
    return "Dv";
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
