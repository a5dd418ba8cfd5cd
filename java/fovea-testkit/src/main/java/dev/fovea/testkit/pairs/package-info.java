/**
 * Cases of attention whose scores are of pairs of queries and keys, no product of these: {@link
 * dev.fovea.testkit.pairs.PairCase} describes a call or its backward pass, {@link
 * dev.fovea.testkit.pairs.CaseBuilder} writes one by hand and {@link
 * dev.fovea.testkit.pairs.CaseGenerator} draws one. {@link dev.fovea.testkit.pairs.Operands} are
 * its inputs, {@link dev.fovea.testkit.pairs.PairCase#expected} its exact outputs and their bounds.
 * Operands go by their names in fovea.h.
 */
package dev.fovea.testkit.pairs;
