package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation;
import dev.fovea.Attention;
import dev.fovea.Device;
import dev.fovea.nn.Reference.Bias;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Layers of encoders and decoders, and stacks of them. */
class TransformerTest {
  private static final double TOLERANCE = 2e-5; // float32 through some twenty operations
  private static final Attention CAUSAL = Attention.builder().causal().build();
  private static final int BATCH = 2;
  private static final int LENGTH = 5;
  private static final int WIDTH = 12;
  private static final int HEADS = 3;

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  private static TransformerConfig config() {
    return TransformerConfig.of(WIDTH, HEADS);
  }

  private static TransformerReference reference() {
    TransformerReference reference = new TransformerReference(WIDTH, HEADS);
    reference.self = reference.padded(BATCH, Bias.none());
    reference.cross = reference.padded(BATCH, Bias.none());
    return reference;
  }

  private static Variable ints(Tape tape, String name, int... values) {
    return tape.constant(name, scope -> scope.copyOf(values, values.length));
  }

  private static void checkLayer(
      Device device, TransformerConfig config, TransformerReference reference, int length) {
    var module =
        new GradientCheck.Inputs<>(new TransformerEncoderLayer(config))
            .with("x", BATCH, length, WIDTH);
    GradientCheck.check(
        device,
        module,
        tape -> module.module.forward(module.get(tape, "x"), Operands.none()),
        p -> reference.encoderLayer(p, "module", p.get("x")),
        TOLERANCE);
  }

  @Test
  void encoderLayersThatNormalizeBeforeOrBehind() {
    for (Device device : devices()) {
      int[] lengths = device == Device.cpu() ? new int[] {1, LENGTH} : new int[] {LENGTH};
      for (int length : lengths) {
        checkLayer(device, config(), reference(), length);
        TransformerReference postNorm = reference();
        postNorm.isPostNorm = true;
        postNorm.activation = z -> Math.max(0, z);
        checkLayer(device, config().postNorm().feedForward(7, Activation.relu()), postNorm, length);
      }
    }
  }

  /** All that LLaMA differs in: a causal mask, rotary positions, rms, SwiGLU, no biases, GQA. */
  @Test
  void encoderLayersLikeThoseOfLanguageModels() {
    int width = 16;
    int heads = 4;
    for (Device device : devices()) {
      TransformerConfig config =
          TransformerConfig.of(width, heads)
              .keyHeads(2)
              .rmsNorm()
              .swiGlu(11)
              .noBias()
              .positions(Positions.rotary(8, width / heads))
              .attention(CAUSAL);
      TransformerReference reference = new TransformerReference(width, heads);
      reference.keyHeads = 2;
      reference.isGated = true;
      reference.activation = Reference::silu;
      reference.turn = (x, h) -> Reference.rotate(x, h, 4, 4, 10_000, row -> row % LENGTH);
      reference.self = reference.padded(BATCH, Bias.causal(LENGTH, LENGTH));
      var module =
          new GradientCheck.Inputs<>(new TransformerEncoder(config, 2))
              .with("x", BATCH, LENGTH, width);
      assertTrue(
          module.namedParameters().keySet().stream().noneMatch(it -> it.contains("bias")),
          () -> module.namedParameters().keySet().toString());
      GradientCheck.check(
          device,
          module,
          tape -> module.module.forward(module.get(tape, "x"), Operands.none()),
          p -> reference.encoder(p, "module", 2, 2, p.get("x")),
          TOLERANCE);
    }
  }

  @Test
  void encodersOfSequencesWithPaddingBehindThem() {
    int[] lengths = {3, LENGTH};
    for (Device device : devices()) {
      TransformerReference reference = reference();
      reference.self = reference.padded(BATCH, Bias.lengths(lengths));
      var module =
          new GradientCheck.Inputs<>(new TransformerEncoder(config(), 2))
              .with("x", BATCH, LENGTH, WIDTH);
      GradientCheck.check(
          device,
          module,
          tape ->
              module.module.forward(
                  module.get(tape, "x"), Operands.of("key_lengths", ints(tape, "n", lengths))),
          p -> reference.encoder(p, "module", 2, 2, p.get("x")),
          TOLERANCE);
    }
  }

  @Test
  void encodersOfPackedSequences() {
    for (Device device : devices()) {
      for (boolean gated : new boolean[] {false, true}) {
        TransformerReference reference = reference();
        reference.self = reference.packed(1, 4, 2);
        reference.isGated = gated;
        reference.activation = gated ? Reference::silu : Reference::gelu;
        TransformerConfig config = gated ? config().swiGlu(9) : config();
        var module =
            new GradientCheck.Inputs<>(new TransformerEncoder(config, 2)).with("x", 7, WIDTH);
        GradientCheck.check(
            device,
            module,
            tape -> {
              Variable begins = ints(tape, "begins", 0, 1, 5, 7);
              return module.module.forward(
                  module.get(tape, "x"), Operands.none().packed(begins, begins, 4, 4));
            },
            p -> reference.encoder(p, "module", 2, 2, p.get("x")),
            TOLERANCE);
      }
    }
  }

  /** Three layers of two: the gradient of the first is that of both its places. */
  @Test
  void layersAreShared() {
    TransformerEncoder encoder =
        new TransformerEncoder(config().feedForward(8, Activation.gelu()), 3, 2);
    assertEquals(
        2 * 12 + 2, encoder.namedParameters().size(), () -> encoder.namedParameters().toString());
    var module = new GradientCheck.Inputs<>(encoder).with("x", BATCH, 3, WIDTH);
    GradientCheck.check(
        module,
        tape -> module.module.forward(module.get(tape, "x"), Operands.none()),
        p -> reference().encoder(p, "module", 3, 2, p.get("x")),
        TOLERANCE);
  }

  private static void checkDecoder(
      Device device, TransformerConfig config, TransformerReference reference, int... lengths) {
    int keys = 4;
    reference.self = reference.padded(BATCH, Bias.causal(LENGTH, LENGTH));
    reference.cross =
        reference.padded(BATCH, lengths.length == 0 ? Bias.none() : Bias.lengths(lengths));
    var module =
        new GradientCheck.Inputs<>(new TransformerDecoder(config, 2))
            .with("x", BATCH, LENGTH, WIDTH)
            .with("memory", BATCH, keys, WIDTH);
    GradientCheck.check(
        device,
        module,
        tape -> {
          Operands ofMemory = Operands.none();
          if (lengths.length > 0) {
            ofMemory.with("key_lengths", ints(tape, "n", lengths));
          }
          return module.module.forward(
              module.get(tape, "x"), module.get(tape, "memory"), Operands.none(), ofMemory);
        },
        p -> reference.decoder(p, "module", 2, p.get("x"), p.get("memory")),
        TOLERANCE);
  }

  @Test
  void decodersOverAMemory() {
    checkDecoder(Device.cpu(), config(), reference());
    for (Device device : devices()) {
      TransformerReference postNorm = reference();
      postNorm.isPostNorm = true;
      postNorm.activation = z -> Math.max(0, z);
      checkDecoder(device, config().postNorm().feedForward(9, Activation.relu()), postNorm, 4, 2);
    }
  }

  @Test
  void decodersWithFewerHeadsOfKeys() {
    TransformerReference reference = new TransformerReference(WIDTH, 4);
    reference.keyHeads = 2;
    reference.isGated = true;
    reference.activation = Reference::silu;
    checkDecoder(
        Device.cpu(),
        TransformerConfig.of(WIDTH, 4).keyHeads(2).rmsNorm().noBias().swiGlu(7),
        reference,
        1,
        3);
  }

  /** Positions are those of rows, whatever the lengths: padding moves no query. */
  @Test
  void causalLayersOfSequencesWithPaddingBehindThem() {
    int[] lengths = {3, LENGTH};
    Bias causal = Bias.causal(LENGTH, LENGTH);
    Bias seen = Bias.lengths(lengths);
    for (Device device : devices()) {
      TransformerReference reference = reference();
      reference.self =
          reference.padded(BATCH, (b, h, i, j) -> causal.of(b, h, i, j) + seen.of(b, h, i, j));
      var module =
          new GradientCheck.Inputs<>(new TransformerDecoder(config(), 1))
              .with("x", BATCH, LENGTH, WIDTH);
      GradientCheck.check(
          device,
          module,
          tape -> {
            Variable x = module.get(tape, "x");
            Operands more = Operands.of("key_lengths", ints(tape, "n", lengths));
            return module.module.forward(x, x, more, Operands.none());
          },
          p -> reference.decoder(p, "module", 1, p.get("x"), p.get("x")),
          TOLERANCE);
    }
  }

  /** An encoder whose output is the memory of a decoder: gradients flow from one to the other. */
  @Test
  void encoderAndDecoderTogether() {
    final class Both extends Module {
      final TransformerEncoder encoder = child("encoder", new TransformerEncoder(config(), 1));
      final TransformerDecoder decoder = child("decoder", new TransformerDecoder(config(), 1));
    }
    var module =
        new GradientCheck.Inputs<>(new Both())
            .with("source", BATCH, LENGTH, WIDTH)
            .with("target", BATCH, 3, WIDTH);
    TransformerReference encoder = reference();
    TransformerReference decoder = reference();
    decoder.self = decoder.padded(BATCH, Bias.causal(3, 3));
    GradientCheck.check(
        module,
        tape -> {
          Variable memory =
              module.module.encoder.forward(module.get(tape, "source"), Operands.none());
          return module.module.decoder.forward(
              module.get(tape, "target"), memory, Operands.none(), Operands.none());
        },
        p ->
            decoder.decoder(
                p,
                "module.decoder",
                1,
                p.get("target"),
                encoder.encoder(p, "module.encoder", 1, 1, p.get("source"))),
        TOLERANCE);
  }

  @Test
  void namesOfParameters() {
    assertArrayEquals(
        new String[] {
          "attention_norm.weight", "attention_norm.bias",
          "attention.query_key_value.weight", "attention.query_key_value.bias",
          "attention.out.weight", "attention.out.bias",
          "feed_forward_norm.weight", "feed_forward_norm.bias",
          "feed_forward.up.weight", "feed_forward.up.bias",
          "feed_forward.down.weight", "feed_forward.down.bias"
        },
        new TransformerEncoderLayer(config()).namedParameters().keySet().toArray());
    var decoder = new TransformerDecoder(config().noBias().rmsNorm(), 3, 1);
    assertArrayEquals(
        new String[] {
          "layers.0.self_attention_norm.weight",
          "layers.0.self_attention.query_key_value.weight",
          "layers.0.self_attention.out.weight",
          "layers.0.cross_attention_norm.weight",
          "layers.0.cross_attention.query.weight",
          "layers.0.cross_attention.key_value.weight",
          "layers.0.cross_attention.out.weight",
          "layers.0.feed_forward_norm.weight",
          "layers.0.feed_forward.up.weight",
          "layers.0.feed_forward.down.weight",
          "norm.weight"
        },
        decoder.namedParameters().keySet().toArray());
  }

  @Test
  void aConfigIsNotChangedByWhatIsMadeOfIt() {
    TransformerConfig config = config();
    config.postNorm().noBias().rmsNorm().swiGlu(5).dropout(0.5).keyHeads(1);
    assertEquals(12, new TransformerEncoderLayer(config).namedParameters().size());
    assertEquals(
        new TransformerEncoderLayer(config()).namedParameters().keySet(),
        new TransformerEncoderLayer(config.swiGlu(3).feedForward(4, Activation.relu()))
            .namedParameters()
            .keySet());
  }

  @Test
  void refusesNumbersThatMakeNoSense() {
    assertThrows(IllegalArgumentException.class, () -> TransformerConfig.of(10, 3));
    assertThrows(IllegalArgumentException.class, () -> TransformerConfig.of(0, 1));
    assertThrows(IllegalArgumentException.class, () -> TransformerConfig.of(8, 0));
    assertThrows(IllegalArgumentException.class, () -> TransformerConfig.of(-8, 2));
    assertThrows(IllegalArgumentException.class, () -> config().dropout(1));
    assertThrows(IllegalArgumentException.class, () -> config().dropout(-0.1));
    assertThrows(IllegalArgumentException.class, () -> config().dropout(Double.NaN));
    assertThrows(NullPointerException.class, () -> config().attention(null));
    assertThrows(
        IllegalArgumentException.class, () -> new TransformerEncoderLayer(config().keyHeads(2)));
    assertThrows(
        IllegalArgumentException.class, () -> new TransformerEncoderLayer(config().swiGlu(0)));
    for (int[] bad : new int[][] {{0, 0}, {2, 3}, {2, 0}, {-1, -1}}) {
      assertThrows(
          IllegalArgumentException.class, () -> new TransformerEncoder(config(), bad[0], bad[1]));
      assertThrows(
          IllegalArgumentException.class, () -> new TransformerDecoder(config(), bad[0], bad[1]));
    }
  }
}
