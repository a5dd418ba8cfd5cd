/**
 * The C ABI of Fovea ({@code native/include/fovea.h}) as seen from Java: one method per function,
 * one class per struct, and the loader that finds the libraries. Needs native access; nothing above
 * it does.
 */
module dev.fovea.ffi {
  exports dev.fovea.ffi;

  uses dev.fovea.ffi.NativeLocator;
}
