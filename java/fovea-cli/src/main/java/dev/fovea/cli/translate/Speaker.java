package dev.fovea.cli.translate;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.nn.MultiHeadAttention;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import dev.fovea.nn.decode.Decoder;
import dev.fovea.nn.decode.Hypothesis;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Says words: a {@link Transcriber} that has learnt, behind a {@link Decoder}. */
final class Speaker implements AutoCloseable {
  private static final int TOGETHER = 256; // words
  private static final int BEAMS = 5;
  private static final double LENGTH_PENALTY = 0.6; // what Wu et al. and Vaswani et al. take

  private final Transcriber model;
  private final Corpus corpus;
  private final Tape reading;
  private final Tape saying;

  Speaker(Transcriber model, Corpus corpus, Device device) {
    this.model = model;
    this.corpus = corpus;
    reading = Tape.inference(device);
    saying = Tape.inference(device);
  }

  /** Words: the likeliest phoneme each time. */
  List<List<String>> say(List<String> words) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, words.size()).boxed().toList());
    order.sort(Comparator.comparingInt(i -> words.get(i).length())); // little is filled up
    List<List<String>> said = new ArrayList<>(Collections.nCopies(words.size(), null));
    for (int from = 0; from < order.size(); from += TOGETHER) {
      List<Integer> some = order.subList(from, Math.min(from + TOGETHER, order.size()));
      List<int[]> begin = Collections.nCopies(some.size(), new int[] {Alphabet.BEGIN});
      List<Hypothesis> found = decoder(some.stream().map(words::get).toList()).greedy(begin);
      for (int i = 0; i < some.size(); i++) {
        said.set(some.get(i), corpus.phonemes().symbols(found.get(i).tokens()));
      }
    }
    return said;
  }

  /** How a word may be said, the likeliest first. */
  List<Hypothesis> waysToSay(String word) {
    return decoder(List.of(word)).beam(BEAMS, LENGTH_PENALTY, Alphabet.BEGIN);
  }

  /**
   * How much the decoder's last layer looked at each letter when it said each phoneme, the mean
   * over heads: [phonemes and end, letters].
   *
   * @param said with its beginning and end
   */
  float[][] alignment(String word, int[] said) {
    List<Variable> seen = new ArrayList<>();
    MultiHeadAttention last = model.decoder().layers().getLast().crossAttention();
    last.observe(seen::add);
    try {
      int[] before = Arrays.copyOf(said, said.length - 1); // what was there when each was said
      scores(read(List.of(word)), List.of(before), new int[1]);
    } finally {
      last.observe(null);
    }
    Variable weights = seen.getFirst(); // [1, heads, phonemes, letters]
    int heads = (int) weights.size(1);
    int letters = (int) weights.size(3);
    float[] all = weights.value().toFloatArray();
    float[][] mean = new float[(int) weights.size(2)][letters];
    for (int i = 0; i < all.length; i++) {
      mean[i / letters % mean.length][i % letters] += all[i] / heads;
    }
    return mean;
  }

  private Decoder decoder(List<String> words) {
    Read read = read(words);
    return new Decoder(
        (prefixes, starts) -> scores(read, prefixes, starts),
        Alphabet.END,
        corpus.longest() + 2); // with a beginning and an end
  }

  /** What the decoder attends to, of some words. */
  private record Read(Tensor memory, int[] lengths) {}

  private Read read(List<String> words) {
    Padded letters = Padded.of(words.stream().map(corpus::lettersOf).toList(), Alphabet.PADDING);
    reading.begin();
    Variable memory = model.read(letters.on(reading), letters.lengthsOn(reading));
    return new Read(memory.value(), letters.lengths());
  }

  private float[][] scores(Read read, List<int[]> prefixes, int[] starts) {
    int[] lengths = IntStream.of(starts).map(it -> read.lengths[it]).toArray();
    saying.begin();
    Variable said = Padded.of(prefixes, Alphabet.PADDING).on(saying);
    Variable lengthsOf = saying.input(DType.INT32, lengths.length);
    lengthsOf.value().copyFrom(lengths);
    Tensor all = read.memory;
    Variable memory = saying.input(all.dtype(), starts.length, all.size(1), all.size(2));
    for (int i = 0; i < starts.length; i++) {
      memory.value().select(0, i).copyFrom(all.select(0, starts[i]));
    }
    Tensor scores = model.say(said, memory, lengthsOf).value();
    float[] last = scores.select(1, scores.size(1) - 1).toFloatArray();
    float[][] rows = new float[starts.length][last.length / starts.length];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(last, i * rows[i].length, rows[i], 0, rows[i].length);
    }
    return rows;
  }

  @Override
  public void close() {
    saying.close();
    reading.close();
  }
}
