/**
 * The C ABI of Fovea ({@code native/include/fovea.h}) as seen from Java: one method per function,
 * one class per struct, and the loader that finds the libraries. Needs native access; nothing above
 * it does.
 *
 * <p>Whoever can call this reads and writes any address with the native access of this module, so
 * only the modules of Fovea can. Others make theirs a friend with {@code --add-exports}.
 */
module dev.fovea.ffi {
  exports dev.fovea.ffi to
      dev.fovea,
      dev.fovea.cli,
      dev.fovea.cuda,
      dev.fovea.encoder,
      dev.fovea.natives.linux_aarch64,
      dev.fovea.natives.linux_x86_64,
      dev.fovea.natives.linux_x86_64.cuda13,
      dev.fovea.nn,
      dev.fovea.testkit;
  exports dev.fovea.ffi.report;

  uses dev.fovea.ffi.NativeLocator;
}
