/**
 * Cases of {@link dev.fovea.SequenceProjection}: {@link dev.fovea.testkit.projection.CaseGenerator}
 * makes a {@link dev.fovea.testkit.projection.ProjectionCase}, {@link
 * dev.fovea.testkit.projection.Operands} its values, {@link dev.fovea.testkit.projection.Oracle}
 * what must come out, and {@link dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.projection;
