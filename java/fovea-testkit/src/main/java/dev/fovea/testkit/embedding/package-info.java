/**
 * Cases of {@link dev.fovea.EmbeddingLookup}: {@link dev.fovea.testkit.embedding.CaseGenerator}
 * makes an {@link dev.fovea.testkit.embedding.EmbeddingCase}, {@link
 * dev.fovea.testkit.embedding.Operands} its values, {@link dev.fovea.testkit.embedding.Oracle} what
 * must come out, and {@link dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.embedding;
