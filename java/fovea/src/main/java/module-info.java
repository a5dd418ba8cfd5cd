/**
 * Fused attention for the JVM: tensors over off-heap memory, attention specs, plans and calls. The
 * CPU is built in; other devices are found as services.
 */
module dev.fovea {
  requires transitive dev.fovea.ffi;
  requires jdk.jfr;

  exports dev.fovea;
  exports dev.fovea.spi;

  uses dev.fovea.spi.DeviceProvider;
}
