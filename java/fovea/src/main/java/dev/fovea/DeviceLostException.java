package dev.fovea;

/**
 * A device reported an error that sticks: every later call on it fails too, in this process. Start
 * a new process, or go on with another device.
 */
public final class DeviceLostException extends FoveaException {
  private static final long serialVersionUID = 1L;

  /** Also for modules that provide devices. */
  public DeviceLostException(String message) {
    super(Status.DEVICE_LOST, message);
  }
}
