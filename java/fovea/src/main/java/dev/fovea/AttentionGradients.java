package dev.fovea;

/**
 * The gradients that every backward pass of {@link Attention} gives.
 *
 * @param query of query, in its shape
 * @param key of key, in its shape
 * @param value of value, in its shape
 */
public record AttentionGradients(Tensor query, Tensor key, Tensor value) {}
