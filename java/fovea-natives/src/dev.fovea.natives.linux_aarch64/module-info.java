/** The CPU library for Linux on AArch64. */
module dev.fovea.natives.linux_aarch64 {
  requires dev.fovea.ffi;

  opens dev.fovea.natives.linux_aarch64 to
      dev.fovea.ffi;

  provides dev.fovea.ffi.NativeLocator with
      dev.fovea.natives.linux_aarch64.CpuLocator;
}
