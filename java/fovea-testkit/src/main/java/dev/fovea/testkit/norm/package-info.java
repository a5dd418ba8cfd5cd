/**
 * Cases of {@link dev.fovea.Normalization}: {@link dev.fovea.testkit.norm.CaseGenerator} makes a
 * {@link dev.fovea.testkit.norm.NormCase}, {@link dev.fovea.testkit.norm.Operands} its values,
 * {@link dev.fovea.testkit.norm.Oracle} what must come out, and {@link
 * dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.norm;
