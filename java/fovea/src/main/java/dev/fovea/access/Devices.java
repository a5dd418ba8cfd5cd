package dev.fovea.access;

import dev.fovea.Device;
import dev.fovea.spi.DeviceAccess;
import dev.fovea.spi.DeviceBackend;

/**
 * What is behind a {@link Device}, which does not show it to everybody, and devices of backends: to
 * test and measure, and to plan for absent ones.
 */
public final class Devices {
  private Devices() {}

  /** What is behind a device. */
  public static DeviceBackend backend(Device device) {
    return access().backend().apply(device);
  }

  /** A new device of a backend. */
  public static Device of(DeviceBackend backend) {
    return access().device().apply(backend);
  }

  private static DeviceAccess<Device> access() {
    Device.cpu(); // has left it
    return DeviceAccess.left();
  }
}
