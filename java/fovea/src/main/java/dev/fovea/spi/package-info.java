/** What a module brings to add devices: a {@link dev.fovea.spi.DeviceProvider} service. */
package dev.fovea.spi;
