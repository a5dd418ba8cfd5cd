package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Graph;
import dev.fovea.RotaryTables;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Positions;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerLm;
import dev.fovea.serving.Generation;
import dev.fovea.serving.GenerationRequest;
import dev.fovea.serving.Generator;
import dev.fovea.serving.KvBatch;
import dev.fovea.serving.KvCache;
import dev.fovea.serving.KvSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Caches of keys and values in a device's memory. */
class CudaServingTest {
  private static final int DIM = 16;
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int LONGEST = 40;

  /** A layer that decodes one token of each of two sequences: bound once, run in every step. */
  private static final class Step implements AutoCloseable {
    private final Scope scope;
    private final KvCache cache;
    private final KvBatch batch;
    private final Tensor query;
    private final Tensor key;
    private final Tensor value;
    private final Tensor out;
    private final CacheAppendCall append;
    private final AttentionCall attention;

    Step(Device device) {
      scope = Scope.open(device);
      cache =
          KvCache.on(device)
              .keyHeads(KEY_HEADS)
              .headDim(DIM)
              .pageSize(4)
              .pages(30)
              .longest(LONGEST)
              .make();
      batch = cache.batch(2);
      query = scope.allocate(DType.FLOAT32, 2, 1, HEADS, DIM);
      key = scope.allocate(DType.FLOAT32, 2, 1, KEY_HEADS, DIM);
      value = scope.allocate(DType.FLOAT32, 2, 1, KEY_HEADS, DIM);
      out = scope.allocate(DType.FLOAT32, 2, 1, HEADS, DIM);
      append =
          CacheAppend.create()
              .call(key, batch.starts(), cache.key(0))
              .value(value, cache.value(0))
              .lengths(batch.counts())
              .pages(batch.table(), LONGEST)
              .rotary(RotaryTables.of(scope, LONGEST, DIM, RotaryTables.BASE));
      attention =
          Attention.builder()
              .causal()
              .build()
              .call(query, cache.key(0), cache.value(0))
              .pages(batch.table(), LONGEST)
              .keyLengths(batch.lengths())
              .out(out);
    }

    void fill(Random random, int... added) {
      for (Tensor it : new Tensor[] {query, key, value}) {
        float[] values = new float[(int) it.elements()];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextGaussian();
        }
        it.copyFrom(values);
      }
      batch.extend(added);
    }

    void run() {
      append.run();
      attention.run();
    }

    @Override
    public void close() {
      cache.close();
      scope.close();
    }
  }

  /** Lengths grow, tables change, sequences fork, leave and come: it is the same graph. */
  @Test
  void aCapturedStepGoesOn() {
    try (Step host = new Step(Device.cpu());
        Step device = new Step(Samples.FIRST);
        Stream stream = Stream.open(Samples.FIRST)) {
      device.append.stream(stream).plan();
      device.attention.stream(stream).plan();
      try (Graph graph = stream.capture(device::run)) {
        List<List<KvSequence>> all = new ArrayList<>();
        for (Step it : List.of(host, device)) {
          List<KvSequence> own = List.of(it.cache.open(), it.cache.open());
          it.batch.put(0, own.get(0));
          it.batch.put(1, own.get(1));
          all.add(new ArrayList<>(own));
        }
        Random random = new Random(1);
        for (int step = 0; step < 30; step++) {
          int[] added = {1, random.nextInt(3) == 0 ? 0 : 1};
          long seed = random.nextLong();
          boolean forks = step % 7 == 5;
          for (int i = 0; i < 2; i++) {
            Step it = i == 0 ? host : device;
            if (forks) { // the second goes, and a fork of the first is in its place
              it.batch.remove(1).close();
              it.batch.put(1, it.batch.get(0).fork());
            }
            it.fill(new Random(seed), added);
            if (it == host) {
              it.run();
            } else {
              graph.launch(stream);
            }
            it.batch.commit();
          }
          float[] expected = host.out.toFloatArray();
          float[] found = device.out.toFloatArray();
          int rows = added[1] == 0 ? HEADS * DIM : 2 * HEADS * DIM;
          for (int j = 0; j < rows; j++) {
            assertEquals(expected[j], found[j], 2e-5, "step " + step + ", element " + j);
          }
          assertEquals(host.cache.freePages(), device.cache.freePages());
        }
      }
    }
  }

  private static List<int[]> answers(Device device) throws Exception {
    TransformerConfig config =
        TransformerConfig.of(32, 4)
            .keyHeads(2)
            .rmsNorm()
            .swiGlu(48)
            .noBias()
            .positions(Positions.rotary(64, 8));
    TransformerLm model = new TransformerLm(new Embedding(23, 32), config, 2);
    model.train(false);
    Random random = new Random(6);
    List<int[]> answers = new ArrayList<>();
    try (Parameters parameters = Parameters.of(model, device, 2);
        KvCache cache =
            KvCache.on(device).layers(2).keyHeads(2).headDim(8).pageSize(4).pages(60).make();
        Generator generator = Generator.of(cache, model::forward).slots(3).chunk(8).start()) {
      assertEquals(device, parameters.device());
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        int[] prompt = random.ints(1 + random.nextInt(12), 0, 23).toArray();
        all.add(generator.submit(GenerationRequest.of(prompt, 6)));
      }
      for (Generation it : all) {
        answers.add(it.await());
      }
    }
    return answers;
  }

  @Test
  void aGeneratorSaysWhatItSaysOnTheHost() throws Exception {
    List<int[]> expected = answers(Device.cpu());
    List<int[]> found = answers(Samples.FIRST);
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), found.get(i), "request " + i);
    }
  }
}
