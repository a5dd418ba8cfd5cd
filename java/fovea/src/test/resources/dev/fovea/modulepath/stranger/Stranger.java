package stranger;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/** Reads an address in every way there is, and says what came of each. */
public final class Stranger {
  public static void main(String[] args) {
    MemorySegment secret = Arena.global().allocateFrom("secret");
    attempt("Memory", () -> Memory.at(secret.address(), 7).getString(0));
    attempt("backend", () -> Devices.backend(Device.cpu()).name());
    long[] one = {1};
    attempt(
        "Tensor",
        () ->
            Tensor.ofAddress(Device.cpu(), secret.address(), DType.INT32, one, one)
                .toIntArray()
                .length);
    attempt("Stream", () -> Stream.ofHandle(Device.cpu(), secret.address()));
  }

  private static void attempt(String way, Supplier<Object> read) {
    try {
      System.out.println(way + ": " + read.get());
    } catch (IllegalCallerException | IllegalAccessError | UnsupportedOperationException e) {
      System.out.println(way + ": " + e);
    }
  }
}
