/** The simulator as a device: found as a service wherever the test kit is. */
package dev.fovea.testkit.sim;
