package dev.fovea.testkit.pairs;

import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of distance attention. */
public final class DistanceCases extends Operation {

  /** The operation. */
  public static final DistanceCases OPERATION = new DistanceCases();

  private DistanceCases() {
    super(PairCase.Kind.DISTANCE.table());
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(PairCase.Kind.DISTANCE, pass, seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
