/** Training: losses, optimisers, schedules, checkpoints and what watches them. */
package dev.fovea.nn.train;
