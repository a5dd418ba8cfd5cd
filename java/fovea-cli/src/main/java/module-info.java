/** The command {@code fovea}, and the models of its demo. */
@SuppressWarnings("requires-automatic") // artifacts of others that have no module descriptor
module dev.fovea.cli {
  requires com.google.gson;
  requires com.microsoft.onnxruntime;
  requires dev.fovea;
  requires dev.fovea.encoder;
  requires dev.fovea.ffi;
  requires dev.fovea.nn;
  requires dev.fovea.pictures;
  requires dev.fovea.serving;
  requires dev.fovea.testkit;
  requires info.picocli;
  requires java.desktop;
  requires jdk.management; // for the size of the memory
  requires org.bytedeco.openblas.linux.x86_64; // its resources

  opens dev.fovea.cli to
      info.picocli;
}
