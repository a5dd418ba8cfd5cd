/**
 * Cases of {@link dev.fovea.CrossEntropy}: {@link dev.fovea.testkit.crossentropy.CaseGenerator}
 * makes a {@link dev.fovea.testkit.crossentropy.CrossEntropyCase}, {@link
 * dev.fovea.testkit.crossentropy.Operands} its values, {@link
 * dev.fovea.testkit.crossentropy.Oracle} what must come out, and {@link
 * dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.crossentropy;
