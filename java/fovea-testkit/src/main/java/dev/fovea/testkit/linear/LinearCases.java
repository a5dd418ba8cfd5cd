package dev.fovea.testkit.linear;

import dev.fovea.ffi.NativeLinear;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of linear attention. */
public final class LinearCases extends Operation {

  /** The operation. */
  public static final LinearCases OPERATION = new LinearCases();

  private LinearCases() {
    super(NativeLinear.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(pass, seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
