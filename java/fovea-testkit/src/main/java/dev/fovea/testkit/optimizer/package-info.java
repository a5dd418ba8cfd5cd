/**
 * Cases of {@link dev.fovea.OptimizerStep}: {@link dev.fovea.testkit.optimizer.CaseGenerator} makes
 * an {@link dev.fovea.testkit.optimizer.OptimizerCase}, {@link
 * dev.fovea.testkit.optimizer.Operands} its values, {@link dev.fovea.testkit.optimizer.Rounded}
 * what must come out bit for bit, which {@link dev.fovea.testkit.optimizer.Oracle} holds against
 * the formulas, and {@link dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.optimizer;
