package dev.fovea.cli;

import dev.fovea.Attention;
import dev.fovea.Attention.Alignment;
import dev.fovea.DType;
import dev.fovea.cli.attend.Attend;
import dev.fovea.cli.attend.Wording;
import java.nio.file.Path;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** One operation on NumPy files. */
@Command(
    name = "attend",
    description = {
      "Run one operation on NumPy files, to check it from Python; with --dout its backward pass"
          + " too.",
      "query [B,Sq,Hq,D], key [B,Sk,Hk,D], value [B,Sk,Hk,Dv]; Hq is a multiple of Hk. Files are"
          + " float32, float16, float64 (converted to float32) or bfloat16 as ml_dtypes saves it,"
          + " little-endian, in C order. NumPy has no bfloat16: results of that type are written as"
          + " float32, which holds them exactly."
    },
    footerHeading = "%nExamples:%n",
    footer = {
      "  fovea attend --query q.npy --key k.npy --value v.npy --out o.npy --causal",
      "  fovea attend --query q.npy --key k.npy --value v.npy --out o.npy \\",
      "    --dout do.npy --dquery dq.npy --dkey dk.npy --dvalue dv.npy"
    })
final class AttendCommand extends CliCommand {

  /** L,R as in {@code --window 128,0}. */
  record Window(long left, long right) {

    boolean valid() {
      return left >= Attention.UNBOUNDED && right >= Attention.UNBOUNDED;
    }
  }

  @Option(
      names = "--op",
      defaultValue = "attention",
      paramLabel = "OPERATION",
      description = "What to compute: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private Mechanism operation;

  @Option(names = "--query", required = true, paramLabel = "Q.npy", description = "[B,Sq,Hq,D]")
  private Path query;

  @Option(names = "--key", required = true, paramLabel = "K.npy", description = "[B,Sk,Hk,D]")
  private Path key;

  @Option(names = "--value", required = true, paramLabel = "V.npy", description = "[B,Sk,Hk,Dv]")
  private Path value;

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

  @Option(names = "--scale", paramLabel = "S", description = "Default 1 / sqrt(D).")
  private Double scale;

  @Option(
      names = "--bias",
      paramLabel = "B.npy",
      description = "Added to the scores: [B|1, Hq|1, Sq|1, Sk], [Hq|1, Sq|1, Sk] or [Sq|1, Sk]")
  private Path bias;

  @Option(names = "--alibi-slopes", paramLabel = "S.npy", description = "[Hq] or [B,Hq]")
  private Path alibiSlopes;

  @Option(names = "--sinks", paramLabel = "S.npy", description = "[Hq]")
  private Path sinks;

  @Option(names = "--query-lengths", paramLabel = "N.npy", description = "[B], int32 or int64")
  private Path queryLengths;

  @Option(names = "--key-lengths", paramLabel = "N.npy", description = "[B], int32 or int64")
  private Path keyLengths;

  @Option(names = "--dropout", paramLabel = "P", description = "Probability of dropping a weight.")
  private double dropout;

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
      description = "Convert query, key, value and dout: float32, float16 or bfloat16.")
  private FloatType dtype;

  @Mixin private DeviceOption device;

  @Option(names = "--threads", paramLabel = "N", description = "Default: all processors.")
  private Integer threads;

  @Option(names = "--out", required = true, paramLabel = "O.npy", description = "[B,Sq,Hq,Dv]")
  private Path out;

  @Option(names = "--lse", paramLabel = "L.npy", description = "Write ln sum exp: [B,Hq,Sq]")
  private Path lse;

  @Option(names = "--weights", paramLabel = "P.npy", description = "Write weights: [B,Hq,Sq,Sk]")
  private Path weights;

  @ArgGroup(validate = false, heading = "%nThe backward pass, from the gradient of out:%n")
  private GradientOptions gradients; // null: none of them is given

  @Override
  public Integer call() throws Exception {
    int workers = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    atLeast("--threads", workers, 1);
    Attend.Inputs inputs =
        new Attend.Inputs(
            query, key, value, bias, alibiSlopes, sinks, queryLengths, keyLengths, seed, offset);
    Attend.Results results = new Attend.Results(out, lse, weights);
    Attend.Gradients wanted =
        gradients == null
            ? null
            : gradients.files(bias != null, alibiSlopes != null, sinks != null);
    DType type = dtype == null ? null : dtype.dtype();
    Attention attention =
        new Wording().with("--scale", "--softcap", "--dropout").say(this::attention);
    Attend attend = new Attend(attention, device.device(), type, workers, text(), err());
    document(attend.run(operation.toString(), inputs, results, wanted));
    return 0;
  }

  private Attention attention() {
    Attention.Builder builder = Attention.builder();
    if (causal != null) {
      builder.causal(causal);
    }
    if (window != null) {
      builder.window(window.left(), window.right());
    }
    if (scale != null) {
      builder.scale(scale);
    }
    return builder.softcap(softcap).dropout(dropout).allowTf32(allowTf32).build();
  }

  /** "128,0". */
  static final class WindowConverter implements ITypeConverter<Window> {
    @Override
    public Window convert(String text) {
      String[] sides = text.split(",", -1);
      try {
        if (sides.length == 2) {
          Window window =
              new Window(Long.parseLong(sides[0].strip()), Long.parseLong(sides[1].strip()));
          if (window.valid()) {
            return window;
          }
        }
      } catch (NumberFormatException e) {
        // said below
      }
      throw new TypeConversionException(
          "'"
              + text
              + "' is not two numbers of 0 or more, such as 128,0, where -1 means unbounded");
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
