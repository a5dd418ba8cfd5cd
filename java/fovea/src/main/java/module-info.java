/**
 * Fused attention for the JVM: tensors over off-heap memory, attention specs, plans and calls. The
 * CPU is built in; other devices are found as services.
 *
 * <p>What makes a device is for modules of Fovea alone, as it takes addresses unchecked.
 */
@SuppressWarnings("module") // exports to modules that are compiled after this one
module dev.fovea {
  requires transitive dev.fovea.ffi;
  requires java.management;
  requires jdk.jfr;
  requires jdk.management; // knows the limits of containers

  exports dev.fovea;
  exports dev.fovea.access to
      dev.fovea.cuda,
      dev.fovea.nn,
      dev.fovea.testkit;
  exports dev.fovea.spi to
      dev.fovea.cuda,
      dev.fovea.nn,
      dev.fovea.testkit;

  uses dev.fovea.spi.DeviceProvider;
}
