package dev.fovea;

import static dev.fovea.SmallOperands.dense;
import static dev.fovea.SmallOperands.denseBackward;
import static dev.fovea.SmallOperands.floats;
import static dev.fovea.SmallOperands.of;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeAttention;
import java.lang.foreign.Arena;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What is missing, elsewhere, or not to be written is named; and whose memory it is. */
class PassOperandsTest {
  private static Tensor readOnly(long... shape) {
    return Tensor.of(Arena.ofAuto().allocate(1024, 64).asReadOnly(), DType.FLOAT32, shape);
  }

  private static void assertMissing(String expected, PassOperands operands) {
    assertEquals(expected, assertThrows(IllegalStateException.class, operands::check).getMessage());
  }

  private static void assertRefused(String expected, PassOperands operands) {
    assertEquals(
        expected, assertThrows(IllegalArgumentException.class, operands::check).getMessage());
  }

  private static void assertNotWritable(String expected, PassOperands operands) {
    assertEquals(
        expected,
        assertThrows(IllegalArgumentException.class, operands::checkWritable).getMessage());
  }

  private static PassOperands backward(Consumer<Bindings> change) {
    Bindings operands = denseBackward();
    change.accept(operands);
    return operands.of(Abi.BACKWARD);
  }

  @Test
  void outIsNeeded() {
    assertMissing(
        "out is not set: a call needs a tensor to write to",
        dense().set("out", null).of(Abi.FORWARD));
    dense().of(Abi.FORWARD).check();
  }

  @Test
  void whatABackwardPassNeeds() {
    for (String saved : new String[] {"out", "lse"}) {
      assertMissing(
          saved + " of the call is not set: a backward pass reads what its forward wrote",
          backward(o -> o.set(saved, null)));
    }
    for (String gradient : new String[] {"dquery", "dkey", "dvalue"}) {
      assertMissing(
          gradient + " is not set: set it, or let backward(scope) allocate it",
          backward(o -> o.set(gradient, null)));
    }
    backward(o -> {}).check();
  }

  @Test
  void gradientsOfWhatTheCallDoesNotHave() {
    assertRefused(
        "dbias is set, but the call has no bias",
        backward(o -> o.set("dbias", floats(2, 4, 3, 5))));
    assertRefused(
        "dalibiSlopes is set, but the call has no alibiSlopes",
        backward(o -> o.set("dalibi_slopes", floats(4))));
    assertRefused(
        "dsinks is set, but the call has no sinks", backward(o -> o.set("dsinks", floats(4))));
  }

  @Test
  void readOnlyResults() {
    dense().of(Abi.FORWARD).checkWritable();
    assertNotWritable(
        "out is over a read-only segment",
        dense().set("out", readOnly(2, 3, 4, 6)).of(Abi.FORWARD));
  }

  @Test
  void whatTheForwardWroteMayBeReadOnlyNow() {
    Bindings operands = denseBackward().set("out", readOnly(2, 3, 4, 6));
    Specs.backward(operands);
    operands.of(Abi.BACKWARD).checkWritable();
    operands.set("dkey", readOnly(2, 5, 2, 8));
    assertNotWritable("dkey is over a read-only segment", operands.of(Abi.BACKWARD));
  }

  @Test
  void anotherDevice() {
    Device far = Device.of(new FakeBackend("far:0", false));
    try (Scope scope = Scope.open(far)) {
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 3);
      Tensor dkey = scope.allocate(DType.FLOAT32, 2, 5, 2, 8);
      assertRefused(
          "lse is on far:0, expected the device of query, cpu",
          dense().set("lse", lse).of(Abi.FORWARD));
      assertRefused(
          "dkey is on far:0, expected the device of query, cpu",
          backward(o -> o.set("dkey", dkey)));
    }
    Device near = Device.of(new FakeBackend("near", true));
    Bindings operands = dense();
    operands.set("out", operands.get("out").on(near));
    Specs.forward(operands); // the same memory: no harm
  }

  @Test
  void whoOwnsWhat() {
    try (Scope one = Scope.open();
        Scope two = Scope.open()) {
      Tensor key = one.allocate(DType.FLOAT32, 2, 5, 2, 8);
      PassOperands operands =
          of(floats(2, 3, 4, 8), key, key, two.allocate(DType.FLOAT32, 2, 3, 4, 8)).of(Abi.FORWARD);
      assertEquals(2, operands.scopes().length);
      assertTrue(operands.accessibleByAll());
    }
    try (Arena arena = Arena.ofConfined()) {
      Tensor lse = Tensor.of(arena.allocate(1024, 64), DType.FLOAT32, 2, 4, 3);
      PassOperands operands = dense().set("lse", lse).of(Abi.FORWARD);
      assertEquals(0, operands.scopes().length);
      assertFalse(operands.accessibleByAll());
    }
  }

  @Test
  void whoOwnsWhatInABackwardPass() {
    try (Scope one = Scope.open();
        Scope two = Scope.open();
        Arena arena = Arena.ofConfined()) {
      Bindings operands =
          denseBackward()
              .set("lse", one.allocate(DType.FLOAT32, 2, 4, 3))
              .set("dquery", one.allocate(DType.FLOAT32, 2, 3, 4, 8))
              .set("dout", two.allocate(DType.FLOAT32, 2, 3, 4, 6));
      assertEquals(Set.of(one, two), Set.of(operands.of(Abi.BACKWARD).scopes()));
      assertTrue(operands.of(Abi.BACKWARD).accessibleByAll());
      Tensor confined = Tensor.of(arena.allocate(1024, 64), DType.FLOAT32, 2, 4, 3, 5);
      operands.set("weights", confined); // have no part in it
      assertTrue(operands.of(Abi.BACKWARD).accessibleByAll());
      operands.set("dbias", confined);
      assertFalse(operands.of(Abi.BACKWARD).accessibleByAll());
    }
  }

  /** Nothing would ever look at it. */
  @Test
  void aMisspeltNameIsRefused() {
    Bindings operands = new Bindings(NativeAttention.OPERATION);
    for (String name : new String[] {"alibiSlopes", "dweights", "Query", ""}) {
      String expected = "attention has no operand " + name;
      assertEquals(
          expected,
          assertThrows(IllegalArgumentException.class, () -> operands.set(name, floats(4)))
              .getMessage());
      assertEquals(
          expected,
          assertThrows(IllegalArgumentException.class, () -> operands.get(name)).getMessage());
    }
    assertEquals("", operands.toString());
  }

  @Test
  void aCopyDoesNotFollow() {
    Bindings operands = dense();
    Tensor out = operands.get("out");
    Bindings copy = operands.copy().set("out", floats(1));
    assertSame(out, operands.get("out"));
    operands.set("lse", floats(2, 4, 3));
    assertNull(copy.get("lse"));
  }
}
