/**
 * How Fovea is tested: an oracle in float64, random cases over every feature, memory that punishes
 * a stray byte, and bounds that a right kernel meets and a wrong one does not.
 *
 * <p>A {@link dev.fovea.testkit.AttentionCase} describes a call completely; {@link
 * dev.fovea.testkit.CaseBuilder} writes one by hand and {@link dev.fovea.testkit.CaseGenerator}
 * draws one. {@link dev.fovea.testkit.Operands} are its inputs, {@link dev.fovea.testkit.Oracle}
 * its exact outputs and their bounds, {@link dev.fovea.testkit.CaseRun} runs it on a device, {@link
 * dev.fovea.testkit.Comparison} judges. {@link dev.fovea.testkit.CheckRunner} does that for
 * thousands in a child process, and {@link dev.fovea.testkit.CaseFile} takes a case to native code.
 *
 * <p>A {@link dev.fovea.testkit.BackwardCase} is the backward pass of such a call, with a builder,
 * a generator, operands, an oracle and a run of its own.
 */
package dev.fovea.testkit;
