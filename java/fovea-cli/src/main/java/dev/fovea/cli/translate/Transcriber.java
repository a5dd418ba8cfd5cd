package dev.fovea.cli.translate;

import dev.fovea.nn.Embedding;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Operands;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerDecoder;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;

/**
 * A Transformer from letters to phonemes: an encoder reads the word, a decoder says it (Vaswani et
 * al., 2017, arXiv 1706.03762; for this task Yolchuyeva et al., 2019, arXiv 2004.06338).
 */
final class Transcriber extends Module {
  /**
   * Its sizes.
   *
   * @param letters how many there are
   * @param phonemes how many there are
   * @param longest symbols of a sequence at most
   * @param layers of the encoder, and as many of the decoder
   */
  record Sizes(int letters, int phonemes, int longest, int width, int heads, int layers) {}

  private final Embedding letters;
  private final TransformerEncoder encoder;
  private final Embedding phonemes;
  private final TransformerDecoder decoder;
  private final Linear scores;

  Transcriber(Sizes sizes) {
    TransformerConfig config = TransformerConfig.of(sizes.width(), sizes.heads());
    letters = child("letters", embedding(sizes.letters(), sizes));
    encoder = child("encoder", new TransformerEncoder(config, sizes.layers()));
    phonemes = child("phonemes", embedding(sizes.phonemes(), sizes));
    decoder = child("decoder", new TransformerDecoder(config, sizes.layers()));
    scores = child("scores", new Linear(phonemes.table()));
  }

  private static Embedding embedding(int vocabulary, Sizes sizes) {
    return new Embedding(vocabulary, sizes.width())
        .scale(Math.sqrt(sizes.width()))
        .sinusoidalPositions(sizes.longest());
  }

  /** What the decoder attends to, [B, S, width], of letters [B, S] with their lengths [B]. */
  Variable read(Variable word, Variable lengths) {
    return encoder.forward(letters.forward(word), Operands.of("key_lengths", lengths));
  }

  /**
   * Scores [B, S, V] of the phonemes behind each of those that were said, [B, S].
   *
   * @param memory of the letters, with their lengths
   */
  Variable say(Variable said, Variable memory, Variable lengths) {
    Operands ofMemory = Operands.of("key_lengths", lengths);
    Variable rows = phonemes.forward(said);
    return scores.forward(decoder.forward(rows, memory, Operands.none(), ofMemory));
  }

  /** What looks at the letters. */
  TransformerDecoder decoder() {
    return decoder;
  }
}
