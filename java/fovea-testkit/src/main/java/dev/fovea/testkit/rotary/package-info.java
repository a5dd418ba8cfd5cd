/**
 * Cases of {@link dev.fovea.RotaryEmbedding}: {@link dev.fovea.testkit.rotary.CaseGenerator} makes
 * a {@link dev.fovea.testkit.rotary.RotaryCase}, {@link dev.fovea.testkit.rotary.Operands} its
 * values, {@link dev.fovea.testkit.rotary.Oracle} what must come out, and {@link
 * dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.rotary;
