package dev.fovea.encoder;

import java.util.List;

/**
 * A tokenized text.
 *
 * @param ids of the tokens, with the special tokens at both ends
 * @param texts how the tokens read
 * @param cut whether the text was longer than the encoder takes
 */
public record Tokens(int[] ids, List<String> texts, boolean cut) {}
