package dev.fovea.testkit.activation;

import dev.fovea.ffi.NativeActivation;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of activation. */
public final class ActivationCases extends Operation {

  /** The operation. */
  public static final ActivationCases OPERATION = new ActivationCases();

  private ActivationCases() {
    super(NativeActivation.OPERATION);
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
