/** Layers, gradients and training. */
@SuppressWarnings("requires-automatic") // an artifact of others that has no module descriptor
module dev.fovea.nn {
  requires com.google.gson;
  requires transitive dev.fovea;
  requires dev.fovea.ffi;
  requires org.bytedeco.openblas.linux.x86_64; // its resources

  exports dev.fovea.nn;
  exports dev.fovea.nn.decode;
  exports dev.fovea.nn.train;
}
