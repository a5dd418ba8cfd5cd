/**
 * Layers, gradients and training: models of attention in Java, on every device of Fovea. {@link
 * dev.fovea.nn.Tape} differentiates, {@link dev.fovea.nn.Module} is what models are made of, {@link
 * dev.fovea.nn.Functions} what they compute.
 */
package dev.fovea.nn;
