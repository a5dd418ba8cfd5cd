/**
 * Cases of {@link dev.fovea.Activation}: {@link dev.fovea.testkit.activation.CaseGenerator} makes
 * an {@link dev.fovea.testkit.activation.ActivationCase}, {@link
 * dev.fovea.testkit.activation.Operands} its values, {@link dev.fovea.testkit.activation.Oracle}
 * what must come out, and {@link dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.activation;
