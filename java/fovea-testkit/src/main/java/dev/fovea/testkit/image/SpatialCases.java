package dev.fovea.testkit.image;

import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of spatial attention. */
public final class SpatialCases extends Operation {

  /** The operation. */
  public static final SpatialCases OPERATION = new SpatialCases();

  private SpatialCases() {
    super(ImageCase.Kind.SPATIAL.table());
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(ImageCase.Kind.SPATIAL, pass, seed, index, limits);
  }

  @Override
  public String width() {
    return "C";
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
