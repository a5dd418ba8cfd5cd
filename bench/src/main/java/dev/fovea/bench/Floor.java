package dev.fovea.bench;

import java.util.Map;

/**
 * What a pass needs of the machine at least. The unit that is busy longest with it bounds the pass:
 * no kernel with these operations is faster.
 *
 * @param unit what speeds are counted in, besides seconds
 * @param count how many of them
 * @param work for each unit of the machine that may be what holds the pass
 */
record Floor(String unit, double count, Map<MachineUnit, Double> work) {}
