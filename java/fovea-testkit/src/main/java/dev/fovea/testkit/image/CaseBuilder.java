package dev.fovea.testkit.image;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.image.ImageCase.Content;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Makes an {@link ImageCase} from as few words as a test needs. Defaults: float32, the forward
 * pass, one image of 4 channels, 5 by 6 pixels, 3 hidden units or a kernel of 3, dense, biases; a
 * backward pass gives all gradients.
 */
public final class CaseBuilder {

  final Kind kind;
  DType dtype = DType.FLOAT32;
  DType outDType;
  ImageSizes sizes = new ImageSizes(1, 4, 5, 6, 3);
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  private final Set<String> absent = new HashSet<>();
  private final Map<String, ImageStyle> styles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder(Kind kind) {
    this.kind = kind;
  }

  /** dtype of x and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** N, C, H, W and R or K. */
  public CaseBuilder sizes(int batch, int channels, int height, int width, int inner) {
    sizes = new ImageSizes(batch, channels, height, width, inner);
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of an operand; dense unless set. */
  public CaseBuilder style(String operand, ImageStyle style) {
    styles.put(operand, style);
    return this;
  }

  /** Leaves out an operand. */
  public CaseBuilder without(String operand) {
    absent.add(operand);
    return this;
  }

  /** The backward pass of the call, with a dx of that type. */
  public CaseBuilder backward(DType type) {
    gradients = type;
    return this;
  }

  /** Gradients are added to what is there. */
  public CaseBuilder accumulate() {
    accumulate = true;
    return this;
  }

  /** Workers asked for. */
  public CaseBuilder parallelism(int workers) {
    parallelism = workers;
    return this;
  }

  /** The finished case. */
  public ImageCase build() {
    Map<String, Layout> layouts = new LinkedHashMap<>();
    int pass = gradients == null ? Abi.FORWARD : Abi.BACKWARD;
    for (Operand operand : kind.table().operands(pass)) {
      String name = operand.name();
      boolean ofAbsent = name.startsWith("d") && absent.contains(name.substring(1));
      if (!absent.contains(name) && !ofAbsent) {
        long[] size =
            operand.dims().stream()
                .mapToLong(dim -> dim.size() == null ? 1 : sizes.rows(dim.size()))
                .toArray();
        layouts.put(name, styles.getOrDefault(name, ImageStyle.DENSE).layout(size));
      }
    }
    return new ImageCase(
        kind,
        sizes,
        dtype,
        outDType == null ? dtype : outDType,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate),
        repeat);
  }
}
