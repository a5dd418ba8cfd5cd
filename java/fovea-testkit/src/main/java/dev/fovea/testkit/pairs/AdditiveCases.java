package dev.fovea.testkit.pairs;

import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of additive attention. */
public final class AdditiveCases extends Operation {

  /** The operation. */
  public static final AdditiveCases OPERATION = new AdditiveCases();

  private AdditiveCases() {
    super(PairCase.Kind.ADDITIVE.table());
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(PairCase.Kind.ADDITIVE, pass, seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}
