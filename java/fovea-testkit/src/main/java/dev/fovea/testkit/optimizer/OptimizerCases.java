package dev.fovea.testkit.optimizer;

import dev.fovea.ffi.NativeOptimizer;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of steps of optimizers. */
public final class OptimizerCases extends Operation {

  /** The operation. */
  public static final OptimizerCases OPERATION = new OptimizerCases();

  private OptimizerCases() {
    super(NativeOptimizer.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(seed, index, limits);
  }

  @Override
  public String width() {
    return "N";
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.widest(limits);
  }
}
