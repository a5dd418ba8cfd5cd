package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.Buffers.Buffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** An operation that fails when it is made, computed or differentiated, at the worst moment. */
class FailingNodeTest {
  private enum When {
    MADE,
    RUN,
    DIFFERENTIATED,
    RUN_BACKWARD
  }

  private static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /** Gives what it is given on, with a gradient that never is any. */
  private static final class Failing extends Node {
    private final When when;
    private final Buffer memory;
    private final Variable out;

    Failing(Variable x, When when) {
      super(when, List.of(x));
      this.when = when;
      memory = x.tape().take(DType.FLOAT32, x.shape());
      fail(When.MADE);
      out = Variable.of(x.tape(), memory.tensor(), true);
    }

    private void fail(When now) {
      if (now == when) {
        throw new Failure();
      }
    }

    @Override
    List<Variable> outputs() {
      return List.of(out);
    }

    @Override
    void run(Tape.Step step) {
      fail(When.RUN);
    }

    @Override
    void differentiate(Gradients gradients) {
      Tensor part = gradients.take(DType.FLOAT32, out.shape());
      gradients.then(() -> fail(When.RUN_BACKWARD));
      gradients.add(inputs().getFirst(), part);
      fail(When.DIFFERENTIATED);
    }

    @Override
    void free(Buffers buffers) {
      buffers.give(memory);
    }
  }

  private static Variable failing(Variable x, When when) {
    return x.tape().record(when, List.of(x), () -> new Failing(x, when)).getFirst();
  }

  @Test
  void memoryIsGivenBackAndTheTapeGoesOn() {
    for (When when : When.values()) {
      var module = new GradientCheck.Inputs<>(new Linear(5, 5)).with("x", 4, 5);
      try (Parameters parameters = Parameters.of(module, Device.cpu(), 3);
          Tape tape = Tape.open(Device.cpu());
          Scope scope = Scope.open()) {
        Tensor seed = scope.allocate(DType.FLOAT32, 4, 5).fill(1);
        float[] expected = null;
        long held = 0;
        for (int n = 0; n < 6; n++) {
          tape.begin();
          Variable hidden = module.module.forward(module.get(tape, "x"));
          assertThrows(
              Failure.class,
              () -> tape.backward(module.module.forward(failing(hidden, when)), seed));
          parameters.zeroGradients();
          tape.begin();
          Variable again = module.module.forward(module.get(tape, "x"));
          assertSame(hidden, again, "what did not fail is not recorded anew");
          tape.backward(Functions.tanh(module.module.forward(Functions.tanh(again))), seed);
          float[] gradient = parameters.groups().getFirst().gradient().toFloatArray();
          expected = expected == null ? gradient : expected;
          held = n == 1 ? tape.memoryHeld() : held;
          assertArrayEquals(expected, gradient);
        }
        assertEquals(held, tape.memoryHeld(), when + " keeps memory");
      }
    }
  }
}
