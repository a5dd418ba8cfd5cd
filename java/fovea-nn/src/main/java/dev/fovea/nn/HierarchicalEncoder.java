package dev.fovea.nn;

/**
 * A vector of a document from the words of its sentences: an encoder reads the words of each
 * sentence and pooling makes a vector of them, a second one reads these vectors (Yang et al.,
 * Hierarchical attention networks for document classification, 2016; of transformers instead of
 * recurrent networks, as Zhang et al., HIBERT, arXiv 1905.06566). Sentences and documents have any
 * lengths: they are packed.
 */
public final class HierarchicalEncoder extends Module {
  private final TransformerEncoder words;
  private final SequencePooling ofWords;
  private final TransformerEncoder sentences;
  private final SequencePooling ofSentences;

  /**
   * Two encoders of {@code layers} layers each, and pooling with additive scores in one head.
   *
   * @param config of both; its width is at most 512
   */
  public HierarchicalEncoder(TransformerConfig config, int layers) {
    int width = config.width();
    words = child("words", new TransformerEncoder(config, layers));
    ofWords = child("word_pooling", SequencePooling.additive(width, 1, width));
    sentences = child("sentences", new TransformerEncoder(config, layers));
    ofSentences = child("sentence_pooling", SequencePooling.additive(width, 1, width));
  }

  /**
   * Where rows of sequences begin, packed end to end.
   *
   * @param offsets int32 [sequences + 1]
   * @param longest at least the length of the longest
   */
  public record Packed(Variable offsets, long longest) {
    Operands operands() {
      return Operands.none().packed(offsets, offsets, longest, longest);
    }
  }

  /**
   * Vectors of documents.
   *
   * @param x the words, [T, width]
   * @param ofSentence where the words of each of N sentences are
   * @param ofDocument where the sentences of each of B documents are
   * @return [B, width]
   */
  public Variable forward(Variable x, Packed ofSentence, Packed ofDocument) {
    Variable read = words.forward(x, ofSentence.operands());
    Variable rows = ofWords.forward(read, ofSentence.offsets, ofSentence.longest);
    Variable related = sentences.forward(rows, ofDocument.operands());
    return ofSentences.forward(related, ofDocument.offsets, ofDocument.longest);
  }
}
