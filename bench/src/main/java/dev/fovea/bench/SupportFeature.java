package dev.fovea.bench;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.testkit.Pass;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Something that a planner may be asked for beyond plain attention.
 *
 * @param name for people
 * @param ofGradients true if a forward pass has no such thing
 * @param set asks for it
 */
record SupportFeature(String name, boolean ofGradients, Consumer<Question> set) {

  /**
   * What a planner is asked.
   *
   * @param spec of the pass
   */
  record Question(MemorySegment spec) {

    /** Plain attention, laid out so that every feature fits. */
    static Question plain(Arena arena, Pass pass) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      FoveaAttentionSpec.DTYPE.set(spec, Abi.FLOAT32);
      FoveaAttentionSpec.BATCH.set(spec, 2);
      FoveaAttentionSpec.QUERY_LENGTH.set(spec, 50);
      FoveaAttentionSpec.KEY_LENGTH.set(spec, 100);
      FoveaAttentionSpec.QUERY_HEADS.set(spec, 4);
      FoveaAttentionSpec.KEY_HEADS.set(spec, 4);
      FoveaAttentionSpec.HEAD_DIM.set(spec, 64);
      FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, 64);
      FoveaAttentionSpec.HAS_LSE.set(spec, pass == Pass.BACKWARD ? 1 : 0);
      FoveaAttentionSpec.PASS.set(spec, pass == Pass.BACKWARD ? Abi.BACKWARD : Abi.FORWARD);
      // Wide enough for every feature: rows of 512 elements or 100 scores never overlap.
      long[] rows = {200 * 2048, 2048, 512};
      long[] scores = {400 * 400, 200 * 200, 200};
      for (int i = 0; i < 3; i++) {
        FoveaAttentionSpec.QUERY_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.KEY_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.VALUE_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.OUT_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.BIAS_STRIDE.set(spec, i, scores[i]);
        FoveaAttentionSpec.MASK_STRIDE.set(spec, i, scores[i]);
        FoveaAttentionSpec.WEIGHTS_STRIDE.set(spec, i, scores[i]);
        FoveaAttentionSpec.TOP_WEIGHTS_STRIDE.set(spec, i, scores[i]);
        FoveaAttentionSpec.TOP_KEYS_STRIDE.set(spec, i, scores[i]);
        FoveaAttentionSpec.DOUT_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.DQUERY_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.DKEY_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.DVALUE_STRIDE.set(spec, i, rows[i]);
        FoveaAttentionSpec.DBIAS_STRIDE.set(spec, i, scores[i]);
      }
      FoveaAttentionSpec.LSE_STRIDE.set(spec, 0, 800);
      FoveaAttentionSpec.LSE_STRIDE.set(spec, 1, 200);
      FoveaAttentionSpec.DALIBI_SLOPES_STRIDE.set(spec, 1, 1);
      return new Question(spec);
    }
  }

  /** All of them, in the order of the table. */
  static List<SupportFeature> all() {
    List<SupportFeature> features = new ArrayList<>();
    for (int dtype = Abi.FLOAT32; dtype <= Abi.BFLOAT16; dtype++) {
      String name = List.of("float32", "float16", "bfloat16").get(dtype - 1);
      features.add(forward(name, FoveaAttentionSpec.DTYPE, dtype));
    }
    features.add(forward("float8", SupportFeature::float8));
    features.add(forward("out in another type", FoveaAttentionSpec.OUT_DTYPE, Abi.FLOAT32));
    features.add(forward("head dim 1", s -> FoveaAttentionSpec.HEAD_DIM.set(s, 1)));
    features.add(forward("head dim 256", s -> FoveaAttentionSpec.HEAD_DIM.set(s, 256)));
    features.add(forward("head dim 512", s -> FoveaAttentionSpec.HEAD_DIM.set(s, 512)));
    features.add(
        forward("another value head dim", s -> FoveaAttentionSpec.VALUE_HEAD_DIM.set(s, 127)));
    features.add(forward("grouped and multi-query", s -> FoveaAttentionSpec.KEY_HEADS.set(s, 1)));
    features.add(
        forward(
            "packed sequences (cu_seqlens)",
            s -> {
              FoveaAttentionSpec.PACKED.set(s, 1);
              FoveaAttentionSpec.QUERY_TOTAL.set(s, 100);
              FoveaAttentionSpec.KEY_TOTAL.set(s, 200);
            }));
    features.add(forward("query lengths", FoveaAttentionSpec.HAS_QUERY_LENGTHS, 1));
    features.add(forward("key lengths", FoveaAttentionSpec.HAS_KEY_LENGTHS, 1));
    features.add(forward("causal", FoveaAttentionSpec.CAUSAL, 1));
    features.add(forward("top-left alignment", FoveaAttentionSpec.ALIGNMENT, Abi.TOP_LEFT));
    features.add(forward("window, left", FoveaAttentionSpec.HAS_WINDOW_LEFT, 1));
    features.add(forward("window, right", FoveaAttentionSpec.HAS_WINDOW_RIGHT, 1));
    features.add(forward("softcap", s -> FoveaAttentionSpec.SOFTCAP.set(s, 30f)));
    features.add(forward("score modifiers written in Java", SupportFeature::modifier));
    features.add(forward("ALiBi", FoveaAttentionSpec.HAS_ALIBI_SLOPES, 1));
    features.add(forward("Gaussian around centers", SupportFeature::gaussian));
    features.add(forward("adaptive spans", SupportFeature::spans));
    features.add(forward("content bias of queries", FoveaAttentionSpec.HAS_CONTENT_BIAS, 1));
    features.add(forward("keys of distances (Transformer-XL)", SupportFeature::positions));
    features.add(
        forward("additive bias, any float type", FoveaAttentionSpec.BIAS_DTYPE, Abi.FLOAT16));
    features.add(forward("relative bias by distance", SupportFeature::relative));
    features.add(forward("boolean mask", FoveaAttentionSpec.HAS_MASK, 1));
    features.add(forward("block mask", SupportFeature::blocks));
    features.add(forward("window in images, rows by columns", SupportFeature::imageWindow));
    features.add(forward("gates of keys", FoveaAttentionSpec.HAS_KEY_GATES, 1));
    features.add(
        forward(
            "gates of the output, any float type",
            FoveaAttentionSpec.OUTPUT_GATES_DTYPE,
            Abi.FLOAT16));
    features.add(forward("attention sinks", FoveaAttentionSpec.HAS_SINKS, 1));
    features.add(forward("dropout", s -> FoveaAttentionSpec.DROPOUT.set(s, 0.1f)));
    features.add(forward("log-sum-exp", FoveaAttentionSpec.HAS_LSE, 1));
    features.add(forward("attention weights", FoveaAttentionSpec.HAS_WEIGHTS, 1));
    features.add(forward("the largest attention weights", SupportFeature::topWeights));
    features.add(forward("keys and values in pages", SupportFeature::pages));
    features.add(
        forward("cache of another float type", FoveaAttentionSpec.CACHE_DTYPE, Abi.BFLOAT16));
    features.add(forward("cache of int8", FoveaAttentionSpec.CACHE_DTYPE, Abi.INT8));
    features.add(forward("cache of int4", FoveaAttentionSpec.CACHE_DTYPE, Abi.INT4X2));
    features.add(forward("cache of float8", FoveaAttentionSpec.CACHE_DTYPE, Abi.FLOAT8_E4M3));
    features.add(forward("scales of a cache", SupportFeature::scales));
    features.add(forward("tree mask", FoveaAttentionSpec.HAS_TREE_MASK, 1));
    addGradients(features);
    return features;
  }

  private static void addGradients(List<SupportFeature> features) {
    features.add(
        gradient("gradients in another type", FoveaAttentionSpec.GRADIENT_DTYPE, Abi.BFLOAT16));
    features.add(
        gradient("gradients of key and value accumulated", FoveaAttentionSpec.ACCUMULATE, 1));
    features.add(gradient("deterministic gradients", FoveaAttentionSpec.DETERMINISTIC, 1));
    features.add(
        gradientOf(
            "the bias",
            s -> FoveaAttentionSpec.BIAS_DTYPE.set(s, Abi.FLOAT16),
            FoveaAttentionSpec.HAS_DBIAS));
    features.add(
        gradientOf(
            "the content bias", SupportFeature::contentBias, FoveaAttentionSpec.HAS_DCONTENT_BIAS));
    features.add(
        gradientOf(
            "the position bias", SupportFeature::positions, FoveaAttentionSpec.HAS_DPOSITION_BIAS));
    features.add(
        gradientOf(
            "keys of distances", SupportFeature::positions, FoveaAttentionSpec.HAS_DPOSITION_KEYS));
    features.add(
        gradientOf(
            "the relative table",
            SupportFeature::relative,
            FoveaAttentionSpec.HAS_DRELATIVE_TABLE));
    features.add(
        gradientOf(
            "what a score modifier looks up",
            SupportFeature::modifier,
            FoveaAttentionSpec.HAS_DMODIFIER_TABLE));
    features.add(
        gradientOf(
            "ALiBi slopes",
            s -> FoveaAttentionSpec.HAS_ALIBI_SLOPES.set(s, 1),
            FoveaAttentionSpec.HAS_DALIBI_SLOPES));
    features.add(
        gradientOf("centers", SupportFeature::gaussian, FoveaAttentionSpec.HAS_DGAUSSIAN_CENTERS));
    features.add(gradientOf("spans", SupportFeature::spans, FoveaAttentionSpec.HAS_DSPANS));
    features.add(
        gradientOf(
            "gates of keys",
            s -> FoveaAttentionSpec.HAS_KEY_GATES.set(s, 1),
            FoveaAttentionSpec.HAS_DKEY_GATES));
    features.add(
        gradientOf(
            "gates of the output",
            SupportFeature::outputGates,
            FoveaAttentionSpec.HAS_DOUTPUT_GATES));
    features.add(
        gradientOf(
            "the sinks",
            s -> FoveaAttentionSpec.HAS_SINKS.set(s, 1),
            FoveaAttentionSpec.HAS_DSINKS));
  }

  private static void contentBias(MemorySegment spec) {
    FoveaAttentionSpec.HAS_CONTENT_BIAS.set(spec, 1);
    FoveaAttentionSpec.DCONTENT_BIAS_STRIDE.set(spec, 0, 512);
  }

  /** Rows for all distances of 50 queries and 100 keys, however aligned, and a position bias. */
  private static void positions(MemorySegment spec) {
    FoveaAttentionSpec.HAS_POSITION_BIAS.set(spec, 1);
    FoveaAttentionSpec.HAS_POSITION_KEYS.set(spec, 1);
    FoveaAttentionSpec.HAS_POSITION_ORIGIN.set(spec, 1);
    FoveaAttentionSpec.POSITION_ORIGIN.set(spec, 99);
    FoveaAttentionSpec.POSITION_COUNT.set(spec, 199);
    FoveaAttentionSpec.DPOSITION_KEYS_STRIDE.set(spec, 0, 2048);
    FoveaAttentionSpec.DPOSITION_KEYS_STRIDE.set(spec, 1, 512);
    FoveaAttentionSpec.DPOSITION_BIAS_STRIDE.set(spec, 0, 512);
  }

  private static void relative(MemorySegment spec) {
    FoveaAttentionSpec.HAS_RELATIVE_TABLE.set(spec, 1);
    FoveaAttentionSpec.HAS_RELATIVE_BUCKETS.set(spec, 1);
    FoveaAttentionSpec.RELATIVE_COUNT.set(spec, 32);
    FoveaAttentionSpec.RELATIVE_WIDTH.set(spec, 257);
    FoveaAttentionSpec.DRELATIVE_TABLE_STRIDE.set(spec, 0, 32);
    FoveaAttentionSpec.DRELATIVE_TABLE_STRIDE.set(spec, 1, 1);
  }

  private static void blocks(MemorySegment spec) {
    FoveaAttentionSpec.HAS_BLOCK_OFFSETS.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_INDICES.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_QUERIES.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_KEYS.set(spec, 1);
    FoveaAttentionSpec.BLOCK_QUERIES.set(spec, 128);
    FoveaAttentionSpec.BLOCK_KEYS.set(spec, 128);
    long rows = (FoveaAttentionSpec.QUERY_LENGTH.get(spec) + 127) / 128;
    FoveaAttentionSpec.BLOCK_ROWS.set(spec, rows + 1);
    FoveaAttentionSpec.BLOCK_COUNT.set(spec, rows);
  }

  private static void imageWindow(MemorySegment spec) {
    FoveaAttentionSpec.HAS_IMAGE_WIDTH.set(spec, 1);
    FoveaAttentionSpec.HAS_WINDOW_ROWS.set(spec, 1);
    FoveaAttentionSpec.HAS_WINDOW_COLUMNS.set(spec, 1);
    FoveaAttentionSpec.IMAGE_WIDTH.set(spec, 32);
    FoveaAttentionSpec.WINDOW_ROWS.set(spec, 3);
    FoveaAttentionSpec.WINDOW_COLUMNS.set(spec, 3);
  }

  private static void modifier(MemorySegment spec) {
    FoveaAttentionSpec.HAS_MODIFIER_PROGRAM.set(spec, 1);
    FoveaAttentionSpec.MODIFIER_WORDS.set(spec, 64);
    FoveaAttentionSpec.HAS_MODIFIER_TABLE.set(spec, 1);
    FoveaAttentionSpec.MODIFIER_COLUMNS.set(spec, 4);
    for (int i = 0; i < 2; i++) {
      FoveaAttentionSpec.MODIFIER_TABLE_STRIDE.set(spec, i, i == 0 ? 4 : 1);
      FoveaAttentionSpec.DMODIFIER_TABLE_STRIDE.set(spec, i, i == 0 ? 4 : 1);
    }
  }

  private static void topWeights(MemorySegment spec) {
    FoveaAttentionSpec.HAS_TOP_WEIGHTS.set(spec, 1);
    FoveaAttentionSpec.HAS_TOP_KEYS.set(spec, 1);
    FoveaAttentionSpec.TOP_COUNT.set(spec, 8);
  }

  private static void outputGates(MemorySegment spec) {
    FoveaAttentionSpec.OUTPUT_GATES_DTYPE.set(spec, Abi.FLOAT16);
    for (int i = 0; i < 3; i++) {
      FoveaAttentionSpec.DOUTPUT_GATES_STRIDE.set(
          spec, i, FoveaAttentionSpec.DOUT_STRIDE.get(spec, i));
    }
  }

  private static void pages(MemorySegment spec) {
    FoveaAttentionSpec.HAS_BLOCK_TABLE.set(spec, 1);
    FoveaAttentionSpec.PAGE_COUNT.set(spec, 20);
    FoveaAttentionSpec.PAGE_SIZE.set(spec, 16);
    FoveaAttentionSpec.PAGE_COLUMNS.set(spec, 10);
    FoveaAttentionSpec.BLOCK_TABLE_STRIDE.set(spec, 0, 10);
    FoveaAttentionSpec.KEY_TOTAL.set(spec, 0);
  }

  private static void float8(MemorySegment spec) {
    FoveaAttentionSpec.DTYPE.set(spec, Abi.FLOAT8_E4M3);
    FoveaAttentionSpec.OUT_DTYPE.set(spec, Abi.BFLOAT16);
  }

  private static void scales(MemorySegment spec) {
    FoveaAttentionSpec.HAS_KEY_SCALES.set(spec, 1);
    FoveaAttentionSpec.HAS_VALUE_SCALES.set(spec, 1);
  }

  private static void gaussian(MemorySegment spec) {
    FoveaAttentionSpec.HAS_GAUSSIAN_CENTERS.set(spec, 1);
    FoveaAttentionSpec.GAUSSIAN_SIGMA.set(spec, 8f);
  }

  private static void spans(MemorySegment spec) {
    FoveaAttentionSpec.HAS_SPANS.set(spec, 1);
    FoveaAttentionSpec.SPAN_RAMP.set(spec, 32f);
  }

  private static SupportFeature forward(String name, Consumer<MemorySegment> set) {
    return new SupportFeature(name, false, question -> set.accept(question.spec()));
  }

  private static SupportFeature forward(String name, Field.Int32 field, int value) {
    return forward(name, spec -> field.set(spec, value));
  }

  private static SupportFeature gradient(String name, Field.Int32 field, int value) {
    return new SupportFeature(name, true, question -> field.set(question.spec(), value));
  }

  /** The gradient of an operand that {@code given} gives to the forward pass. */
  private static SupportFeature gradientOf(
      String operand, Consumer<MemorySegment> given, Field.Int32 asked) {
    return new SupportFeature(
        "gradient of " + operand,
        true,
        question -> {
          given.accept(question.spec());
          asked.set(question.spec(), 1);
        });
  }
}
