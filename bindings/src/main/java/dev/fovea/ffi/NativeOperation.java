package dev.fovea.ffi;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.util.List;

/** An operation of {@code fovea.h}: its operands, and its calls. Made from its declaration. */
public abstract class NativeOperation {
  private final String name;
  private final int id;
  private final StructLayout spec;
  private final List<Operand> forward;
  private final List<Operand> backward;

  NativeOperation(
      String name, int id, StructLayout spec, List<Operand> forward, List<Operand> backward) {
    this.name = name;
    this.id = id;
    this.spec = spec;
    this.forward = forward;
    this.backward = backward;
  }

  /** In C: {@code "attention"}. */
  public final String name() {
    return name;
  }

  /** As a plan numbers it. */
  public final int id() {
    return id;
  }

  /** The block of its numbers. */
  public final StructLayout spec() {
    return spec;
  }

  /** Operands of a pass, in the order of arguments. */
  public final List<Operand> operands(int pass) {
    return pass == Abi.FORWARD ? forward : backward;
  }

  /**
   * Runs items: calls {@code function}, {@link NativeLibrary#runFunction}, with the operands of
   * that pass in their order, absent ones {@link MemorySegment#NULL}. Returns a status of {@link
   * Abi}.
   */
  public final int run(
      int pass,
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream) {
    try {
      return pass == Abi.FORWARD
          ? forward(function, plan, call, operands, workspace, scratch, stream)
          : backward(function, plan, call, operands, workspace, scratch, stream);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_run_<name>}. */
  abstract int forward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable;

  /** {@code fovea_run_<name>_backward}. */
  abstract int backward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] operands,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable;

  @Override
  public final String toString() {
    return name;
  }
}
