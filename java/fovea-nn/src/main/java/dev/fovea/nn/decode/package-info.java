/** Sequences out of a model that says what may come next: greedy, by beams, or drawn by chance. */
package dev.fovea.nn.decode;
