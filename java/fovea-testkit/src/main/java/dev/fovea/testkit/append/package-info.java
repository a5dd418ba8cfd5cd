/**
 * Cases of {@link dev.fovea.CacheAppend}: {@link dev.fovea.testkit.append.CaseGenerator} makes an
 * {@link dev.fovea.testkit.append.AppendCase}, {@link dev.fovea.testkit.append.Operands} its
 * values, {@link dev.fovea.testkit.append.Rounded} what must come out, bit for bit, which {@link
 * dev.fovea.testkit.append.Oracle} holds against the formulas, and {@link
 * dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.append;
