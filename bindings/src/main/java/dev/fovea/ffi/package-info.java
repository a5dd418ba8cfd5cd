/**
 * Plain bindings of {@code fovea.h}.
 *
 * <p>Nothing here knows what a tensor is: blocks and operands are {@link
 * java.lang.foreign.MemorySegment}s, and every function returns its status as an {@code int} of
 * {@link dev.fovea.ffi.Abi}. The module {@code dev.fovea} turns those into exceptions.
 */
package dev.fovea.ffi;
