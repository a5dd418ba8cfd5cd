/**
 * Cases of {@link dev.fovea.Merge}: {@link dev.fovea.testkit.merge.CaseGenerator} makes a {@link
 * dev.fovea.testkit.merge.MergeCase}, {@link dev.fovea.testkit.merge.Operands} its values, {@link
 * dev.fovea.testkit.merge.Oracle} what must come out, and {@link dev.fovea.testkit.OperationRun}
 * runs it.
 */
package dev.fovea.testkit.merge;
