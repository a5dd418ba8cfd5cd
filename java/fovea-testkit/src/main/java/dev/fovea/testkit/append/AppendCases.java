package dev.fovea.testkit.append;

import dev.fovea.ffi.NativeAppend;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of appends to a cache. */
public final class AppendCases extends Operation {

  /** The operation. */
  public static final AppendCases OPERATION = new AppendCases();

  private AppendCases() {
    super(NativeAppend.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
