package dev.fovea.cli;

import dev.fovea.Activation.Function;
import dev.fovea.Attention.Alignment;
import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.cli.attend.Attend;
import dev.fovea.cli.attend.Mechanism;
import dev.fovea.cli.attend.Settings;
import dev.fovea.cli.attend.Settings.BlockSize;
import dev.fovea.cli.attend.Settings.ImageWindow;
import dev.fovea.cli.attend.Settings.Rule;
import dev.fovea.cli.attend.Settings.Step;
import dev.fovea.cli.attend.Settings.Window;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** One operation on NumPy files. */
@Command(
    name = "attend",
    modelTransformer = OperandOptions.class,
    description = {
      "Run one operation on NumPy files, to check it from Python; with --dout its backward pass"
          + " too.",
      "Files are float32, float16, float64 (converted to float32) or bfloat16 as ml_dtypes saves"
          + " it, little-endian, in C order. NumPy has no bfloat16: results of that type are"
          + " written as float32, which holds them exactly.",
      "In shapes, Hq is a multiple of Hk, and X|1 may be one for all, or be left out in front of"
          + " the others. With --cu-seqlens-q and --cu-seqlens-k sequences are packed: all rows lie"
          + " end to end, and there is no B. Of a softmax, --lse is the logarithm of its sum,"
          + " --weights what it gives."
    },
    footerHeading = "%nExamples:%n",
    footer = {
      "  fovea attend --query q.npy --key k.npy --value v.npy --out o.npy --causal",
      "  fovea attend --query q.npy --key k.npy --value v.npy --out o.npy \\",
      "    --dout do.npy --dquery dq.npy --dkey dk.npy --dvalue dv.npy",
      "  fovea attend --op additive --query q.npy --key k.npy --value v.npy \\",
      "    --weight w.npy --bias b.npy --out o.npy --weights p.npy",
      "  fovea attend --op distance --query x.npy --key keys.npy --value values.npy \\",
      "    --bandwidth h.npy --local-linear --ridge 1e-3 --out estimates.npy",
      "  fovea attend --op linear --query q.npy --key k.npy --value v.npy --causal \\",
      "    --decay g.npy --initial-state s.npy --out o.npy --final-state t.npy",
      "  fovea attend --op merge --outs parts.npy --lses lses.npy --out o.npy",
      "  fovea attend --op append --key k.npy --value v.npy --starts n.npy --cosines c.npy \\",
      "    --sines s.npy --key-cache kc.npy --value-cache vc.npy --new-key-cache kd.npy \\",
      "    --new-value-cache vd.npy",
      "  fovea attend --op optimizer --gradient g.npy --rates r.npy --parameter p.npy \\",
      "    --mean m.npy --square v.npy --weight-decay 0.01 --new-parameter q.npy",
      "  fovea attend --op norm --centered --epsilon 1e-5 --x x.npy --weight w.npy --bias b.npy \\",
      "    --out o.npy"
    })
final class AttendCommand extends CliCommand {

  @Option(
      names = "--op",
      defaultValue = "attention",
      paramLabel = "OPERATION",
      description = "What to compute: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private Mechanism operation;

  @Option(
      names = "--causal",
      arity = "0..1",
      fallbackValue = "bottom-right",
      paramLabel = "ALIGNMENT",
      converter = AlignmentConverter.class,
      description =
          "A query sees the keys up to its position. bottom-right, the default: the last query"
              + " meets the last key; top-left: the first meets the first.")
  private Alignment causal;

  @Option(
      names = "--window",
      paramLabel = "L,R",
      converter = WindowConverter.class,
      description = "Keys seen to the left and right of a position; -1: all.")
  private Window window;

  @Option(names = "--softcap", paramLabel = "C", description = "Scores become C tanh(score / C).")
  private double softcap;

  @Option(
      names = "--gaussian-sigma",
      paramLabel = "KEYS",
      description = "Standard deviation of the Gaussian around --gaussian-centers.")
  private double gaussianSigma;

  @Option(
      names = "--span-ramp",
      paramLabel = "KEYS",
      description = "Keys over which weights fall to 0 behind --spans.")
  private double spanRamp;

  @Option(
      names = "--position-origin",
      paramLabel = "ROW",
      description = "The row of --position-keys for distance 0; default 0.")
  private long positionOrigin;

  @Option(
      names = "--block-size",
      converter = BlockSizeConverter.class,
      defaultValue = "0,0",
      paramLabel = "Q,K",
      description = "Queries and keys of a block of --block-offsets and --block-indices.")
  private BlockSize blocks;

  @Option(
      names = "--image-window",
      converter = ImageWindowConverter.class,
      defaultValue = "0,0,0",
      paramLabel = "W,R,C",
      description =
          "Positions are pixels of images W wide: keys at most R rows and C columns away are seen.")
  private ImageWindow imageWindow;

  @Option(
      names = "--top-count",
      defaultValue = "8",
      paramLabel = "K",
      description = "Weights of a query in --top-weights and --top-keys, 1 to 128; default 8.")
  private long topCount;

  @Option(
      names = "--scale",
      paramLabel = "S",
      description =
          "Of scores, default 1 / sqrt(D); of linear's out and of the rows of a table, default 1.")
  private Double scale;

  @Option(
      names = "--feature-map",
      defaultValue = "identity",
      paramLabel = "PHI",
      description = "Of query and key: identity, elu-plus-one or relu; default identity.")
  private FeatureMap featureMap;

  @Option(names = "--normalised", description = "Divide out by the sum of its weights.")
  private boolean normalised;

  @Option(
      names = "--local-linear",
      description = "Of distance: fit a plane to the values around a query, not a constant.")
  private boolean localLinear;

  @Option(
      names = "--ridge",
      paramLabel = "R",
      description =
          "Of that plane's slopes, in squares of the bandwidth; default 0, which counts as 2^-32.")
  private double ridge;

  @Option(
      names = "--interleaved",
      description = "Pairs are elements 2c and 2c + 1 of a row, not c and c + C.")
  private boolean interleaved;

  @Option(
      names = "--rule",
      defaultValue = "adamw",
      paramLabel = "RULE",
      description = "Of a step: sgd, adamw or lion; default adamw.")
  private Rule rule;

  @Option(names = "--nesterov", description = "SGD looks ahead by its momentum.")
  private boolean nesterov;

  @Option(
      names = "--beta1",
      paramLabel = "B",
      description = "Momentum of sgd, default 0; what of the mean stays, default 0.9.")
  private Double beta1;

  @Option(
      names = "--beta2",
      paramLabel = "B",
      description =
          "What of adamw's square stays, default 0.999; of lion's mean between steps, default"
              + " 0.99.")
  private Double beta2;

  @Option(
      names = "--epsilon",
      paramLabel = "E",
      description =
          "Added to the mean of squares by norm, default 1e-5; to the root of the square by adamw,"
              + " default 1e-8.")
  private Double epsilon;

  @Option(
      names = "--weight-decay",
      paramLabel = "W",
      description = "Of parameters, decoupled but for sgd; default 0.")
  private double weightDecay;

  @Option(names = "--centered", description = "Layer normalization; without, by root mean square.")
  private boolean centered;

  @Option(
      names = "--function",
      defaultValue = "identity",
      paramLabel = "F",
      description =
          "identity, relu, gelu, gelu-tanh, silu, sigmoid or tanh; default ${DEFAULT-VALUE}.")
  private Function function;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description = "Probability of dropping a weight, or of activation an element.")
  private double dropout;

  @Option(
      names = "--padding",
      paramLabel = "ID",
      description = "The id whose row of --table gets no gradient.")
  private Long padding;

  @Option(
      names = "--label-smoothing",
      paramLabel = "E",
      description = "Share of a target that all classes have alike; default 0.")
  private double labelSmoothing;

  @Option(names = "--seed", paramLabel = "N", description = "Seed of the dropout; default 0.")
  private long seed;

  @Option(names = "--offset", paramLabel = "N", description = "Offset of the dropout; default 0.")
  private int offset;

  @Option(
      names = "--allow-tf32",
      description = "Let a GPU round the factors of float32 products to TF32.")
  private boolean allowTf32;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description =
          "Convert query, key, value, dout and position keys: float32, float16 or bfloat16.")
  private FloatType dtype;

  @Mixin private DeviceOption device;

  @Option(names = "--threads", paramLabel = "N", description = "Default: all processors.")
  private Integer threads;

  @Option(
      names = "--deterministic",
      description = "Have a GPU give the same bits on every run of a backward pass.")
  private boolean deterministic;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    int workers = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    atLeast("--threads", workers, 1);
    Map<String, Path> files =
        OperandOptions.files(spec.commandLine().getParseResult(), operation, deterministic);
    Settings settings =
        new Settings(
            causal,
            window,
            scale,
            softcap,
            gaussianSigma,
            spanRamp,
            positionOrigin,
            blocks,
            imageWindow,
            topCount,
            dropout,
            seed,
            offset,
            allowTf32,
            featureMap,
            normalised,
            localLinear,
            ridge,
            interleaved,
            new Step(rule, nesterov, beta1, beta2, weightDecay),
            centered,
            epsilon,
            function,
            padding,
            labelSmoothing,
            deterministic,
            workers);
    DType type = dtype == null ? null : dtype.dtype();
    Attend attend = new Attend(operation, settings, device.device(), type, text(), err());
    document(attend.run(files));
    return 0;
  }

  /** "128,0". */
  static final class WindowConverter implements ITypeConverter<Window> {
    @Override
    public Window convert(String text) {
      long[] sides = numbers(text, 2);
      if (sides != null && new Window(sides[0], sides[1]).valid()) {
        return new Window(sides[0], sides[1]);
      }
      throw new TypeConversionException(
          "'"
              + text
              + "' is not two numbers of 0 or more, such as 128,0, where -1 means unbounded");
    }
  }

  /** "64,64". */
  static final class BlockSizeConverter implements ITypeConverter<BlockSize> {
    @Override
    public BlockSize convert(String text) {
      long[] sides = numbers(text, 2);
      if (sides != null && sides[0] >= 0 && sides[1] >= 0) {
        return new BlockSize(sides[0], sides[1]);
      }
      throw new TypeConversionException("'" + text + "' is not two numbers, such as 64,64");
    }
  }

  /** "56,3,3". */
  static final class ImageWindowConverter implements ITypeConverter<ImageWindow> {
    @Override
    public ImageWindow convert(String text) {
      long[] sizes = numbers(text, 3);
      if (sizes != null && Arrays.stream(sizes).allMatch(size -> size >= 0)) {
        return new ImageWindow(sizes[0], sizes[1], sizes[2]);
      }
      throw new TypeConversionException("'" + text + "' is not three numbers, such as 56,3,3");
    }
  }

  /** So many whole numbers; null if the text is anything else. */
  private static long[] numbers(String text, int count) {
    String[] parts = text.split(",", -1);
    try {
      return parts.length == count
          ? Arrays.stream(parts).map(String::strip).mapToLong(Long::parseLong).toArray()
          : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  /** "top-left" or "bottom-right". */
  static final class AlignmentConverter implements ITypeConverter<Alignment> {
    @Override
    public Alignment convert(String text) {
      return switch (text) {
        case "bottom-right" -> Alignment.BOTTOM_RIGHT;
        case "top-left" -> Alignment.TOP_LEFT;
        default ->
            throw new TypeConversionException("'" + text + "' is not bottom-right or top-left");
      };
    }
  }
}
