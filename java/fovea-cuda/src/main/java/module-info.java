/**
 * NVIDIA GPUs as devices {@code cuda:0} and on, through JCuda's driver API. Nothing here is called
 * by name: {@link dev.fovea.Device} finds it as a service.
 *
 * <p>Needs {@code --enable-native-access=dev.fovea.ffi,jcuda}: JCuda is JNI. Its own library is
 * looked for in {@code java.library.path} and then taken from its jar.
 */
@SuppressWarnings("requires-automatic") // JCuda has no module descriptor
module dev.fovea.cuda {
  requires dev.fovea;
  requires java.logging; // for jcuda, which has no descriptor to say so
  requires jcuda;

  provides dev.fovea.spi.DeviceProvider with
      dev.fovea.cuda.CudaProvider;
}
