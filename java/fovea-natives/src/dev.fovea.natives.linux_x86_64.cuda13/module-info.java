/** The CUDA 13 library for Linux on x86-64. */
module dev.fovea.natives.linux_x86_64.cuda13 {
  requires dev.fovea.ffi;

  opens dev.fovea.natives.linux_x86_64.cuda13 to
      dev.fovea.ffi;

  provides dev.fovea.ffi.NativeLocator with
      dev.fovea.natives.linux_x86_64.cuda13.CudaLocator;
}
