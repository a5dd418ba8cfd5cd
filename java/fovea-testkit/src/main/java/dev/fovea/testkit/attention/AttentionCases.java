package dev.fovea.testkit.attention;

import dev.fovea.ffi.NativeAttention;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of scaled dot-product attention. */
public final class AttentionCases extends Operation {

  /** The operation. */
  public static final AttentionCases OPERATION = new AttentionCases();

  private AttentionCases() {
    super(NativeAttention.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return switch (pass) {
      case FORWARD -> CaseGenerator.generate(seed, index, limits);
      case BACKWARD -> BackwardGenerator.generate(seed, index, limits);
    };
  }

  @Override
  public int widest(Limits limits) {
    return limits.keyDim();
  }
}
