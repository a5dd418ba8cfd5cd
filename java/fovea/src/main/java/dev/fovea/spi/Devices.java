package dev.fovea.spi;

import dev.fovea.Device;
import java.util.function.Function;

/**
 * What is behind a {@link Device}, and devices of backends: for modules that provide devices, and
 * to plan for absent ones.
 */
public final class Devices {
  private static volatile Function<Device, DeviceBackend> backends;
  private static volatile Function<DeviceBackend, Device> devices;

  private Devices() {}

  /** What is behind a device. */
  public static DeviceBackend backend(Device device) {
    return backends.apply(device);
  }

  /** A new device of a backend. */
  public static Device of(DeviceBackend backend) {
    Device.cpu(); // has registered
    return devices.apply(backend);
  }

  /** How {@link Device}, which shows neither to everybody, tells them. */
  public static void register(
      Function<Device, DeviceBackend> backends, Function<DeviceBackend, Device> devices) {
    if (Devices.backends != null) {
      throw new IllegalStateException("devices are registered already");
    }
    Devices.devices = devices;
    Devices.backends = backends;
  }
}
