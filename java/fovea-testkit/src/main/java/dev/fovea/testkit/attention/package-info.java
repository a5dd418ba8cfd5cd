/**
 * Cases of scaled dot-product attention.
 *
 * <p>An {@link dev.fovea.testkit.attention.AttentionCase} describes a call completely; {@link
 * dev.fovea.testkit.attention.CaseBuilder} writes one by hand and {@link
 * dev.fovea.testkit.attention.CaseGenerator} draws one. {@link
 * dev.fovea.testkit.attention.Operands} are its inputs, {@link dev.fovea.testkit.attention.Oracle}
 * its exact outputs and their bounds, {@link dev.fovea.testkit.attention.CaseRun} runs it on a
 * device.
 *
 * <p>A {@link dev.fovea.testkit.attention.BackwardCase} is the backward pass of such a call, with a
 * builder, a generator, operands, an oracle and a run of its own.
 */
package dev.fovea.testkit.attention;
