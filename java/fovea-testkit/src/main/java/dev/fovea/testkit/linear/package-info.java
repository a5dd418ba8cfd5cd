/**
 * Cases of linear attention: {@link dev.fovea.testkit.linear.LinearCase} describes a call or its
 * backward pass, {@link dev.fovea.testkit.linear.CaseBuilder} writes one by hand and {@link
 * dev.fovea.testkit.linear.CaseGenerator} draws one. {@link dev.fovea.testkit.linear.Operands} are
 * its inputs, {@link dev.fovea.testkit.linear.Oracle} and {@link
 * dev.fovea.testkit.linear.BackwardOracle} its exact outputs and their bounds. Operands go by their
 * names in fovea.h.
 */
package dev.fovea.testkit.linear;
