/**
 * Fovea's speed, beside its peers, on the machine at hand. {@link dev.fovea.bench.CallBenchmark} is
 * JMH; the comparisons are {@link dev.fovea.bench.Interleaved}, whose comment says why. Nothing is
 * timed before its output was verified. Started by {@code bench/run}.
 */
package dev.fovea.bench;
