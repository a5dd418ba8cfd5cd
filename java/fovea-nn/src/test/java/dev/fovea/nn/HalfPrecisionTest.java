package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * The same in types of 16 bits as in float32, but for their precision: gradients meet in the type
 * of their values, those of parameters in float32.
 */
class HalfPrecisionTest {
  private static final class Model extends Module {
    final Parameter x = parameter("x", Initializer.normal(1), 2, 3, 8);
    final Norm first = child("first", Norm.layer(8));
    final Norm second = child("second", Norm.rms(8));
    final Embedding embedding =
        child("embedding", new Embedding(6, 8).learnedPositions(3).padding(5));
    final MultiHeadAttention rotary = child("rotary", attention(Positions.rotary(3, 4)));
    final MultiHeadAttention alibi = child("alibi", attention(Positions.alibi(2)));
    final MultiHeadAttention relative =
        child("relative", attention(Positions.relative(2, true, 4, 8)));
    final AdditiveMultiHeadAttention additive =
        child("additive", new AdditiveMultiHeadAttention(8, 8, 4));
    final SequencePooling pooling = child("pooling", SequencePooling.dot(8, 2, 4));

    private static MultiHeadAttention attention(Positions positions) {
      return MultiHeadAttention.self(8, 2, Attention.create()).positions(positions);
    }
  }

  /** Out, and the gradients of all parameters. */
  private static List<double[]> run(
      Device device, DType dtype, Model model, UnaryOperator<Variable> f) {
    try (Parameters parameters = Parameters.of(model, device, dtype, 3);
        Tape tape = Tape.open(device);
        Scope scope = Scope.open(device)) {
      Variable out = f.apply(tape.parameter(model.x));
      assertEquals(dtype, out.dtype());
      float[] weights = new float[(int) out.value().elements()];
      for (int i = 0; i < weights.length; i++) {
        weights[i] = (i * 5 % 16 - 8) / 8f;
      }
      tape.backward(out, scope.allocate(dtype, out.shape()).copyFrom(weights));
      List<double[]> all = new ArrayList<>();
      all.add(GradientCheck.doubles(out.value()));
      for (Parameter parameter : parameters.all()) {
        assertEquals(DType.FLOAT32, parameter.gradient().dtype());
        all.add(GradientCheck.doubles(parameter.gradient()));
      }
      return all;
    }
  }

  private interface Body {
    Variable of(Model model, Variable x);
  }

  private static void check(Body body) {
    for (Device device : List.of(Device.cpu(), GradientCheck.simulated())) {
      Model exact = new Model();
      List<double[]> expected = run(device, DType.FLOAT32, exact, x -> body.of(exact, x));
      for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
        Model model = new Model();
        List<double[]> found = run(device, dtype, model, x -> body.of(model, x));
        double tolerance = dtype == DType.FLOAT16 ? 0.01 : 0.06;
        for (int i = 0; i < found.size(); i++) {
          String name = device + " " + dtype + " " + i;
          GradientCheck.assertClose(name, found.get(i), expected.get(i), tolerance);
        }
      }
    }
  }

  @Test
  void aResidualStream() {
    check(
        (model, x) -> {
          Variable a = Functions.add(x, Functions.tanh(model.first.forward(x)));
          Variable b = Functions.add(Functions.gelu(model.second.forward(a)), a);
          return model.first.forward(Functions.add(b, x));
        });
  }

  @Test
  void viewsAndTheWhole() {
    check(
        (model, x) -> {
          Variable y = Functions.tanh(x);
          Variable[] halves = y.split(2, 4, 4);
          Variable swapped = Functions.concat(2, halves[1], Functions.sigmoid(halves[0]));
          return Functions.add(Functions.add(swapped, y), y);
        });
  }

  @Test
  void whatComesOutIsAView() {
    check((model, x) -> Functions.tanh(model.first.forward(x)).slice(1, 1, 3));
    check((model, x) -> Functions.contiguous(Functions.tanh(x).transpose(1, 2)));
    check((model, x) -> x.slice(2, 0, 4));
  }

  @Test
  void attentionAndEmbedding() {
    check(
        (model, x) -> {
          Variable ids = x.tape().input(DType.INT32, 2, 3);
          ids.value().copyFrom(new int[] {1, 4, 1, 0, 5, 2});
          Variable rows = Functions.add(model.embedding.forward(ids), x);
          Variable heads = rows.reshape(2, 3, 2, 4);
          Variable attended =
              Functions.attention(Attention.create(), heads, heads, Functions.tanh(heads));
          return Functions.add(attended.reshape(2, 3, 8), rows);
        });
  }

  @Test
  void attentionThatKnowsPositions() {
    check((model, x) -> model.rotary.forward(x));
    check((model, x) -> model.alibi.forward(x));
    check((model, x) -> model.relative.forward(x));
  }

  @Test
  void additiveAttentionAndPooling() {
    check((model, x) -> model.additive.forward(x, Functions.tanh(x), Operands.none()));
    check((model, x) -> model.pooling.forward(x, null));
  }
}
