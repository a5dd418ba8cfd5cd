/**
 * Cases of additive attention: {@link dev.fovea.testkit.additive.AdditiveCase} describes a call or
 * its backward pass, {@link dev.fovea.testkit.additive.CaseBuilder} writes one by hand and {@link
 * dev.fovea.testkit.additive.CaseGenerator} draws one. {@link dev.fovea.testkit.additive.Operands}
 * are its inputs, {@link dev.fovea.testkit.additive.Oracle} and {@link
 * dev.fovea.testkit.additive.BackwardOracle} its exact outputs and their bounds. Operands go by
 * their names in fovea.h.
 */
package dev.fovea.testkit.additive;
