package dev.fovea.bench;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.transformer.ScaledDotProductAttentionBlock;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.util.PairList;
import java.util.Arrays;
import java.util.function.Function;

/**
 * The transformer of {@link TrainingComparison} in the parts of DJL, with its PyTorch engine. Its
 * own TransformerEncoderBlock normalizes over the batch, so this one has LayerNorm in these places.
 */
final class DjlTransformer implements AutoCloseable {
  private final Model model = Model.newInstance("transformer");
  private final NDManager memory = NDManager.newBaseManager();
  private final Trainer trainer;
  private final long[] shape;

  /**
   * A model with given values.
   *
   * @param sizes of the model
   * @param values of a parameter of ours by its name
   */
  DjlTransformer(TrainingComparison.Sizes sizes, Function<String, float[]> values) {
    SequentialBlock all = new SequentialBlock();
    all.add(new Table(sizes.vocabulary(), sizes.width()));
    for (int i = 0; i < sizes.layers(); i++) {
      all.add(new Layer(sizes.width(), sizes.heads()));
    }
    all.add(Linear.builder().setUnits(sizes.vocabulary()).build());
    model.setBlock(all);
    shape = new long[] {sizes.batch(), sizes.length()};
    trainer =
        model.newTrainer(
            new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss("loss", 1, -1, true, true))
                .optOptimizer(
                    Optimizer.adam()
                        .optEpsilon(TrainingComparison.EPSILON)
                        .optLearningRateTracker(Tracker.fixed(TrainingComparison.RATE))
                        .build()));
    trainer.initialize(new Shape(shape));
    set(all, 0, values.apply("embedding.weight"));
    for (int i = 0; i < sizes.layers(); i++) {
      Block layer = all.getChildren().valueAt(1 + i);
      String name = "encoder.layers." + i + ".";
      setLayer(layer, sizes.width(), it -> values.apply(name + it));
    }
    setBoth(all.getChildren().valueAt(1 + sizes.layers()), "head", values);
  }

  /** One step; returns the loss before it. */
  float step(int[] ids, int[] targets) {
    float loss;
    try (NDManager own = memory.newSubManager();
        GradientCollector gradients = trainer.newGradientCollector()) {
      NDArray in = own.create(ids, new Shape(shape)).toType(DataType.INT64, false);
      NDArray wanted = own.create(targets, new Shape(shape)).toType(DataType.INT64, false);
      NDList out = trainer.forward(new NDList(in));
      NDArray value = trainer.getLoss().evaluate(new NDList(wanted.expandDims(2)), out);
      loss = value.getFloat();
      gradients.backward(value);
    }
    trainer.step();
    return loss;
  }

  private static void setLayer(Block layer, int width, Function<String, float[]> values) {
    Block attention = layer.getChildren().valueAt(0);
    float[] weights = values.apply("attention.query_key_value.weight");
    float[] biases = values.apply("attention.query_key_value.bias");
    int[] parts = {1, 0, 2}; // theirs are of keys, queries and values
    for (int i = 0; i < parts.length; i++) {
      Block projection = attention.getChildren().valueAt(i);
      int at = parts[i] * width;
      set(projection, 0, Arrays.copyOfRange(weights, at * width, (at + width) * width));
      set(projection, 1, Arrays.copyOfRange(biases, at, at + width));
    }
    setBoth(attention.getChildren().valueAt(3), "attention.out", values);
    setBoth(layer.getChildren().valueAt(1), "attention_norm", values);
    setBoth(layer.getChildren().valueAt(2), "feed_forward.up", values);
    setBoth(layer.getChildren().valueAt(3), "feed_forward.down", values);
    setBoth(layer.getChildren().valueAt(4), "feed_forward_norm", values);
  }

  private static void setBoth(Block block, String name, Function<String, float[]> values) {
    set(block, 0, values.apply(name + ".weight"));
    set(block, 1, values.apply(name + ".bias"));
  }

  private static void set(Block block, int parameter, float[] values) {
    block.getParameters().valueAt(parameter).getArray().set(values);
  }

  @Override
  public void close() {
    trainer.close();
    memory.close();
    model.close();
  }

  private static final class Table extends AbstractBlock {
    private final Parameter weight;
    private final int width;

    Table(int vocabulary, int width) {
      this.width = width;
      weight =
          addParameter(
              Parameter.builder()
                  .setName("weight")
                  .setType(Parameter.Type.WEIGHT)
                  .optShape(new Shape(vocabulary, width))
                  .build());
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> more) {
      NDArray ids = in.singletonOrThrow();
      NDArray table = store.getValue(weight, ids.getDevice(), training);
      return Embedding.embedding(ids, table, SparseFormat.DENSE);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return new Shape[] {in[0].add(width)};
    }
  }

  private static final class Layer extends AbstractBlock {
    private final ScaledDotProductAttentionBlock attention;
    private final LayerNorm attentionNorm = LayerNorm.builder().axis(2).build();
    private final Linear up;
    private final Linear down;
    private final LayerNorm norm = LayerNorm.builder().axis(2).build();

    Layer(int width, int heads) {
      attention =
          addChildBlock(
              "attention",
              ScaledDotProductAttentionBlock.builder()
                  .setEmbeddingSize(width)
                  .setHeadCount(heads)
                  .optAttentionProbsDropoutProb(0)
                  .build());
      addChildBlock("attentionNorm", attentionNorm);
      up = addChildBlock("up", Linear.builder().setUnits(4L * width).build());
      down = addChildBlock("down", Linear.builder().setUnits(width).build());
      addChildBlock("norm", norm);
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> more) {
      NDArray x = in.singletonOrThrow();
      NDArray attended = attention.forward(store, in, training).singletonOrThrow();
      NDArray sum =
          attentionNorm.forward(store, new NDList(x.add(attended)), training).singletonOrThrow();
      NDList hidden = Activation.gelu(up.forward(store, new NDList(sum), training));
      NDArray fed = down.forward(store, hidden, training).singletonOrThrow();
      return norm.forward(store, new NDList(sum.add(fed)), training);
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... in) {
      attention.initialize(manager, type, in);
      attentionNorm.initialize(manager, type, in);
      up.initialize(manager, type, in);
      down.initialize(manager, type, up.getOutputShapes(in));
      norm.initialize(manager, type, in);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return in;
    }
  }
}
