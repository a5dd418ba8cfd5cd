package dev.fovea.cuda;

import static jcuda.driver.JCudaDriver.cuMemAllocHost;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;

import dev.fovea.ffi.Memory;
import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;

/**
 * Copies between the host's pageable memory and the device through two pinned buffers in turn: the
 * device copies one while the host copies the other. The buffers stay, so a copy of any size costs
 * no more than these. One copy at a time.
 */
final class Staging {
  /** Bytes of one buffer: smaller ones do not fill the bus, larger ones do not fill it better. */
  static final long CHUNK = 8L << 20;

  /** One pinned buffer, with the event of its last copy. */
  private final class Buffer {
    private final MemorySegment memory;
    private final Pointer pointer = new Pointer();
    private final long copied = streams.openEvent(false);

    Buffer() {
      context.call("cuMemAllocHost", () -> cuMemAllocHost(pointer, CHUNK));
      memory = Memory.at(JCudaHandles.value(pointer), CHUNK);
    }

    void await() {
      streams.synchronizeEvent(copied);
    }

    void send(MemorySegment host, long device) {
      await(); // until the device is done with the last contents they must stay
      memory.copyFrom(host);
      CUdeviceptr to = JCudaHandles.device(device);
      context.call(
          "cuMemcpyHtoDAsync",
          () -> cuMemcpyHtoDAsync(to, pointer, host.byteSize(), streams.own()));
      streams.record(copied, JCudaHandles.value(streams.own()));
    }

    void fetch(long device, long bytes) {
      CUdeviceptr from = JCudaHandles.device(device);
      context.call(
          "cuMemcpyDtoHAsync", () -> cuMemcpyDtoHAsync(pointer, from, bytes, streams.own()));
      streams.record(copied, JCudaHandles.value(streams.own()));
    }

    void receive(MemorySegment host) {
      await();
      host.copyFrom(memory.asSlice(0, host.byteSize()));
    }
  }

  private final PrimaryContext context;
  private final CudaStreams streams;
  private final Buffer[] buffers = new Buffer[2]; // guarded by this, like the copies

  Staging(PrimaryContext context, CudaStreams streams) {
    this.context = context;
    this.streams = streams;
  }

  synchronized void copyIn(MemorySegment host, long device) {
    long chunks = chunks(host);
    for (long i = 0; i < chunks; i++) {
      buffer(i).send(chunk(host, i), device + i * CHUNK);
    }
    if (chunks > 0) {
      buffer(chunks - 1).await();
    }
  }

  synchronized void copyOut(long device, MemorySegment host) {
    long chunks = chunks(host);
    for (long i = 0; i <= chunks; i++) {
      if (i < chunks) {
        buffer(i).fetch(device + i * CHUNK, chunk(host, i).byteSize());
      }
      if (i > 0) {
        buffer(i - 1).receive(chunk(host, i - 1));
      }
    }
  }

  private Buffer buffer(long chunk) {
    int slot = (int) (chunk % buffers.length);
    if (buffers[slot] == null) {
      buffers[slot] = new Buffer();
    }
    return buffers[slot];
  }

  private static long chunks(MemorySegment host) {
    return Math.ceilDiv(host.byteSize(), CHUNK);
  }

  private static MemorySegment chunk(MemorySegment host, long index) {
    long begin = index * CHUNK;
    return host.asSlice(begin, Math.min(CHUNK, host.byteSize() - begin));
  }
}
