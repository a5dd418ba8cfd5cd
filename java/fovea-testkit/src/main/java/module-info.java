/** The float64 oracle, random cases, guarded memory: one copy for tests, {@code check}, benches. */
module dev.fovea.testkit {
  requires transitive dev.fovea;

  exports dev.fovea.testkit;
  exports dev.fovea.testkit.activation;
  exports dev.fovea.testkit.append;
  exports dev.fovea.testkit.attention;
  exports dev.fovea.testkit.crossentropy;
  exports dev.fovea.testkit.embedding;
  exports dev.fovea.testkit.image;
  exports dev.fovea.testkit.linear;
  exports dev.fovea.testkit.merge;
  exports dev.fovea.testkit.optimizer;
  exports dev.fovea.testkit.norm;
  exports dev.fovea.testkit.pairs;
  exports dev.fovea.testkit.projection;
  exports dev.fovea.testkit.rotary;

  provides dev.fovea.spi.DeviceProvider with
      dev.fovea.testkit.sim.SimProvider;
}
