package dev.fovea.cuda;

import dev.fovea.DeviceLostException;
import dev.fovea.FoveaException;
import dev.fovea.Status;
import java.util.function.IntSupplier;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Results of the driver as exceptions. */
final class Driver {
  private static final int LAST_RESULT = CUresult.CUDA_ERROR_UNKNOWN;

  private Driver() {}

  /**
   * Calls a function of the driver by its name.
   *
   * @throws DeviceLostException if the device is of no more use
   * @throws FoveaException if the driver refuses
   */
  static void call(String function, IntSupplier body) {
    int result = result(body);
    if (result != CUresult.CUDA_SUCCESS) {
      throw failure(function, result);
    }
  }

  /**
   * The result, also where somebody has told JCuda to throw it: that is a switch of the process.
   */
  static int result(IntSupplier body) {
    try {
      return body.getAsInt();
    } catch (CudaException e) {
      for (int result = 1; result <= LAST_RESULT; result++) {
        if (CUresult.stringFor(result).equals(e.getMessage())) {
          return result;
        }
      }
      throw e;
    }
  }

  static FoveaException failure(String function, int result) {
    String text = function + ": " + describe(result);
    return isSticky(result)
        ? new DeviceLostException(text)
        : new FoveaException(
            result == CUresult.CUDA_ERROR_OUT_OF_MEMORY
                ? Status.OUT_OF_MEMORY
                : Status.DEVICE_ERROR,
            text);
  }

  /** The driver's name and words for a result. */
  static String describe(int result) {
    String[] name = {null};
    String[] words = {null};
    result(() -> JCudaDriver.cuGetErrorName(result, name));
    result(() -> JCudaDriver.cuGetErrorString(result, words));
    return name[0] == null ? "CUDA error " + result : name[0] + " (" + words[0] + ")";
  }

  /** True if the context is corrupt, so that every later call in it fails too. */
  private static boolean isSticky(int result) {
    return switch (result) {
      case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_EXTERNAL_DEVICE ->
          true;
      default -> false;
    };
  }
}
