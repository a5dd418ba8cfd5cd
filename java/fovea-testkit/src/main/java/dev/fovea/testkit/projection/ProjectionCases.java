package dev.fovea.testkit.projection;

import dev.fovea.ffi.NativeProjection;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of projections. */
public final class ProjectionCases extends Operation {

  /** The operation. */
  public static final ProjectionCases OPERATION = new ProjectionCases();

  private ProjectionCases() {
    super(NativeProjection.OPERATION);
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
