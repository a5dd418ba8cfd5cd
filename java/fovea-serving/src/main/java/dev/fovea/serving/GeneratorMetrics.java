package dev.fovea.serving;

/**
 * What a {@link Generator} has done so far, and is doing.
 *
 * @param waiting requests that wait for their turn
 * @param running sequences that tokens are computed of
 * @param kept sequences that are done and kept, in case a prompt begins alike
 * @param freePages pages of the cache that no sequence has
 * @param ended requests that came to their end or length
 * @param cancelled requests that were cancelled
 * @param failed requests whose step threw
 * @param refused requests that were not taken, since too many waited
 * @param steps runs of the model
 * @param promptTokens tokens of prompts that were computed
 * @param sharedTokens tokens of prompts that others had computed already
 * @param generatedTokens tokens that were chosen
 */
public record GeneratorMetrics(
    int waiting,
    int running,
    int kept,
    int freePages,
    long ended,
    long cancelled,
    long failed,
    long refused,
    long steps,
    long promptTokens,
    long sharedTokens,
    long generatedTokens) {}
