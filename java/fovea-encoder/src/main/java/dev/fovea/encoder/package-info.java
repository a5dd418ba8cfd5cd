/**
 * Embeddings of sentences: a {@link dev.fovea.encoder.Encoder} is loaded from the files of a BERT
 * model and turns texts into vectors, whose products say how alike the texts are.
 *
 * {@snippet :
 * try (Encoder encoder = Encoder.load(Path.of("all-MiniLM-L6-v2"))) {
 *   float[][] embeddings = encoder.embed(List.of("a cat sleeps", "the kitten is asleep"));
 * }
 * }
 */
package dev.fovea.encoder;
