package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Positions;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerLm;
import dev.fovea.nn.Variable;
import dev.fovea.nn.decode.Sampling;
import java.util.Arrays;
import java.util.Random;
import java.util.SplittableRandom;

/** A language model that has learnt nothing, and what it says without a cache. */
final class TinyModel implements AutoCloseable {
  static final int WORDS = 37;
  static final int LONGEST = 96;
  static final int PAGE = 4;
  private static final int WIDTH = 32;

  final TransformerLm model = model();
  private final Parameters parameters = Parameters.of(model, Device.cpu(), 5);
  private final Tape tape = Tape.batchInvariant(Device.cpu(), 1);

  private static TransformerLm model() {
    TransformerConfig config =
        TransformerConfig.of(WIDTH, 4)
            .keyHeads(2)
            .rmsNorm()
            .swiGlu(48)
            .noBias()
            .positions(Positions.rotary(LONGEST, 8));
    TransformerLm model = new TransformerLm(new Embedding(WORDS, WIDTH), config, 2);
    model.train(false);
    return model;
  }

  static KvCache cache(int pages) {
    return KvCache.on(Device.cpu())
        .layers(2)
        .keyHeads(2)
        .headDim(8)
        .pageSize(PAGE)
        .pages(pages)
        .longest(LONGEST)
        .make();
  }

  static int[] prompt(Random random, int length) {
    return random.ints(length, 0, WORDS).toArray();
  }

  static GenerationRequest request(Random random) {
    GenerationRequest request =
        GenerationRequest.of(prompt(random, 1 + random.nextInt(40)), 1 + random.nextInt(30));
    if (random.nextBoolean()) {
      request = request.sampling(new Sampling(1.5, 0, 0.95), random.nextLong());
    }
    return random.nextBoolean() ? request.endAt(3, 5) : request;
  }

  /** What the model says to the whole sequence, again for every token. */
  int[] answer(GenerationRequest request) {
    int[] tokens = request.prompt();
    SplittableRandom random = new SplittableRandom(request.seed());
    while (tokens.length < request.longest()) {
      tape.begin();
      Variable ids = tape.input(DType.INT32, 1, tokens.length);
      ids.value().copyFrom(tokens);
      float[] all = model.forward(ids).value().toFloatArray();
      float[] last = Arrays.copyOfRange(all, all.length - WORDS, all.length);
      int next = request.sampling().draw(last, random.nextDouble());
      tokens = Arrays.copyOf(tokens, tokens.length + 1);
      tokens[tokens.length - 1] = next;
      if (request.endsWith(next)) {
        break;
      }
    }
    return Arrays.copyOfRange(tokens, request.length(), tokens.length);
  }

  @Override
  public void close() {
    tape.close();
    parameters.close();
  }
}
