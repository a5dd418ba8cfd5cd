/**
 * How Fovea is tested: an oracle in float64, random cases over every feature, memory that punishes
 * a stray byte, and bounds that a right kernel meets and a wrong one does not.
 *
 * <p>Each operation has a package below this one: a generator, cases, an oracle and its bounds.
 * {@link dev.fovea.testkit.Operations} is the one list of them; nothing else here knows any by
 * name. A {@link dev.fovea.testkit.CheckedCase} describes a call completely, or its backward pass.
 * {@link dev.fovea.testkit.CaseBuffers} lay its operands out on a device, {@link
 * dev.fovea.testkit.Expected} is what an oracle says of an output, {@link
 * dev.fovea.testkit.Comparison} judges. {@link dev.fovea.testkit.CheckRunner} does that for
 * thousands in a child process, and {@link dev.fovea.testkit.CaseFile} takes a case to native code.
 */
package dev.fovea.testkit;
