package dev.fovea;

/** What kind of failure a {@link FoveaException} is. */
public enum Status {
  /** No library could be loaded; the message lists every place that was tried. */
  LIBRARY_NOT_LOADED,
  /** The device has too little memory left; the message says how much. It still works. */
  OUT_OF_MEMORY,
  /** The device refused; it still works. */
  DEVICE_ERROR,
  /** The device's context is unusable: see {@link DeviceLostException}. */
  DEVICE_LOST,
  /** The library gave a status that this version does not know. */
  UNKNOWN
}
