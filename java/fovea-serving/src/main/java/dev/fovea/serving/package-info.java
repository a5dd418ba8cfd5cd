/**
 * Serving of language models: a {@link dev.fovea.serving.KvCache} keeps the keys and values of many
 * sequences in pages, which they share where they begin alike; a {@link dev.fovea.serving.KvBatch}
 * is what one call of attention needs of those that go on together; a {@link
 * dev.fovea.serving.Generator} lets a model answer many requests with them.
 */
package dev.fovea.serving;
