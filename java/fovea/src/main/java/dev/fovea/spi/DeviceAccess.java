package dev.fovea.spi;

import java.util.function.Function;

/**
 * The way from a device to its backend and back, which the class of devices leaves here for those
 * whom this package is exported to.
 *
 * @param <D> that class, which is of a higher layer
 * @param backend what is behind a device
 * @param device a new device of a backend
 */
public record DeviceAccess<D>(
    Function<D, DeviceBackend> backend, Function<DeviceBackend, D> device) {
  private static volatile DeviceAccess<?> left;

  /** Leaves it, once. */
  public static void leave(DeviceAccess<?> access) {
    if (left != null) {
      throw new IllegalStateException("the access to devices is there already");
    }
    left = access;
  }

  /** What was left. */
  @SuppressWarnings("unchecked") // nobody else leaves one
  public static <D> DeviceAccess<D> left() {
    return (DeviceAccess<D>) left;
  }
}
