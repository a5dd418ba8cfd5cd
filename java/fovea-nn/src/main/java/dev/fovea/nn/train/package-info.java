/**
 * Training: losses and their scales, optimisers, schedules, checkpoints and what watches a run;
 * adversarial training, what a masked language model guesses, and a search for hyper-parameters.
 */
package dev.fovea.nn.train;
