package dev.fovea.encoder;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.Operands;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The memory of one worker, and the way of a block of sentences through all layers. The sentences
 * lie end to end: no padding is computed.
 */
final class EncoderPass implements AutoCloseable {
  private final Bert model;
  private final Pooling pooling;
  private final Scope scope = Scope.open();
  private final Tape tape = Tape.inference(Device.cpu(), 1);
  private final Tensor ids;
  private final Tensor positions;
  private final Tensor starts;
  private final Tensor rows;

  /** Memory for {@code capacity} tokens. */
  EncoderPass(Bert model, Pooling pooling, int capacity) {
    this.model = model;
    this.pooling = pooling;
    ids = scope.allocate(DType.INT32, 1, capacity);
    positions = scope.allocate(DType.INT32, 1, capacity);
    starts = scope.allocate(DType.INT32, capacity + 1);
    rows = scope.allocate(DType.FLOAT32, capacity, model.config().width());
  }

  /** Embeds {@code sentences}, which fit into the capacity. */
  float[][] embed(List<int[]> sentences) {
    int[] offsets = new int[sentences.size() + 1];
    int longest = 0;
    for (int i = 0; i < sentences.size(); i++) {
      int length = sentences.get(i).length;
      offsets[i + 1] = offsets[i] + length;
      longest = Math.max(longest, length);
    }
    Tensor block = rows.slice(0, 0, offsets[sentences.size()]);
    embedTokens(sentences, offsets, block);
    runLayers(offsets, longest, block);
    int width = model.config().width();
    MemorySegment values = block.segment();
    Pooling.RowReader reader =
        (row, to) ->
            MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, 4L * row * width, to, 0, width);
    float[][] results = new float[sentences.size()][];
    for (int i = 0; i < results.length; i++) {
      results[i] = pooling.pool(reader, offsets[i], offsets[i + 1], width);
    }
    return results;
  }

  private void embedTokens(List<int[]> sentences, int[] offsets, Tensor to) {
    int tokens = offsets[sentences.size()];
    int[] all = new int[tokens];
    int[] at = new int[tokens];
    for (int i = 0; i < sentences.size(); i++) {
      int[] sentence = sentences.get(i);
      System.arraycopy(sentence, 0, all, offsets[i], sentence.length);
      for (int p = 0; p < sentence.length; p++) {
        at[offsets[i] + p] = p;
      }
    }
    tape.begin();
    Variable embedded =
        model.embedded(
            tape.constant(ids.slice(1, 0, tokens).copyFrom(all)),
            tape.constant(positions.slice(1, 0, tokens).copyFrom(at)));
    to.copyFrom(embedded.value());
  }

  private void runLayers(int[] offsets, int longest, Tensor block) {
    Tensor boundaries = starts.slice(0, 0, offsets.length).copyFrom(offsets);
    for (int i = 0; i < model.config().layers(); i++) {
      // Each is a step of its own, in the memory of the one before: that stays in the cache.
      tape.begin();
      Variable sequences = tape.constant(boundaries);
      Operands packed = Operands.none().packed(sequences, sequences, longest, longest);
      block.copyFrom(model.layer(i, tape.constant(block), packed).value());
    }
  }

  @Override
  public void close() {
    tape.close();
    scope.close();
  }
}
