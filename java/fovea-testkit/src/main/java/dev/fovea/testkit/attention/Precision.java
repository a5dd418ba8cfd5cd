package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.lang.foreign.MemorySegment;

/**
 * What a backend rounds besides its output. The specification's element bound has one unit u for
 * two roundings: that of the weights before the product with the values, and that of the output.
 * They are kept apart here, since the dtypes of input and output may differ and the CPU keeps its
 * weights in float32; each backend is held to what it really does.
 *
 * @param tensorCores products take factors of the input dtype, or of TF32 where that is allowed, so
 *     that weights are rounded to it; else weights stay float32
 * @param float8 and they may be of e4m3, by kernels of few features: see {@link #products}
 * @param pairs or some take factors of bfloat16, and sum them as float32
 * @param tiles and so do those with caches of bytes
 */
public record Precision(boolean tensorCores, boolean float8, boolean pairs, boolean tiles) {

  /** Weights in float32. */
  public static final Precision CPU = new Precision(false, false, false, false);

  /** Those of bfloat16 in bfloat16. */
  public static final Precision CPU_PAIRS = new Precision(false, false, true, false);

  /** The same of caches of bytes, too. */
  static final Precision CPU_TILES = new Precision(false, false, true, true);

  /** Weights in the input dtype. */
  public static final Precision TENSOR_CORE = new Precision(true, false, false, false);

  /** The same of compute capability 9.0: of e4m3, too. */
  public static final Precision HOPPER = new Precision(true, true, false, false);

  private static final int HOPPER_CAPABILITY = 90;

  /** Products of factors of 16 bits, or of TF32, for which a sum is cut to float32 once more. */
  private static final double HALF_PRODUCTS = 16;

  private static final double TF32_PRODUCTS = 8;

  /** Of a step of products of e4m3. */
  private static final double FLOAT8_PRODUCTS = 32;

  /** Such a step keeps 13 bits behind the first of its largest term, and so do sums. */
  static final double FLOAT8_CUT = 0x1p-13;

  /** Keys whose products of e4m3 are summed before the sum joins others in float32. */
  static final int FLOAT8_KEYS = 512;

  /** Half a unit in the last place of 1 in e4m3. */
  static final double FLOAT8_UNIT = 0x1p-4;

  /** Below the normal numbers of e4m3, which 2^-6 is the least of: half of what these differ by. */
  static final double FLOAT8_SUBNORMAL_HALF = 0x1p-10;

  private static final double FLOAT8_NORMAL = 0x1p-6;

  private static final double FLOAT16_NORMAL = 0x1p-14;

  /**
   * Products take weights of float16 times powers of two, so that the largest are near the largest
   * number: those of a forward relative to the largest of their row times 2^13 at least, those of a
   * backward times 2^15. Weights of e4m3 are such times 2^8.
   */
  static final double FORWARD_WEIGHTS = 0x1p13;

  static final double FLOAT8_WEIGHTS = 0x1p8;

  static final double BACKWARD_WEIGHTS = 0x1p15;

  /** Score gradients times that at least, relative to the largest that there may be. */
  static final double SCORE_GRADIENTS = 0x1p10;

  /** 11 significant bits, like float16. */
  private static final double TF32 = 0x1p-11;

  /**
   * The precision of the device of that name.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public static Precision of(String device) {
    return of(Device.byName(device));
  }

  /** The precision of a device. */
  static Precision of(Device device) {
    MemorySegment info = Devices.backend(device).info();
    if (FoveaDeviceInfo.KIND.get(info) == Abi.DEVICE_CPU) {
      int isa = FoveaDeviceInfo.ISA.get(info);
      return isa == Abi.ISA_AMX ? CPU_TILES : isa == Abi.ISA_AVX512_BF16 ? CPU_PAIRS : CPU;
    }
    int capability = FoveaDeviceInfo.COMPUTE_CAPABILITY.get(info);
    return capability == HOPPER_CAPABILITY ? HOPPER : TENSOR_CORE;
  }

  /** That of a backward: pairs need gradients of out that nothing else is multiplied with. */
  Precision ofBackward(AttentionCase c) {
    Options o = c.options();
    boolean plain = o.dropout() == 0 && !o.gates().hasOutput() && o.outDType() == DType.BFLOAT16;
    boolean even = c.geometry().valueHeadDim() % 2 == 0;
    return pairs && !(isOfPairs(c) && plain && even) ? CPU : this;
  }

  /** Whether products take factors that are rounded for them. */
  boolean roundsFactors() {
    return tensorCores || pairs;
  }

  /**
   * The type that factors of products have: that of query, or where this is e4m3 one that holds
   * query, key and value exactly. That is float16, unless the cache has float32 or bfloat16. Only
   * the kernels of warpgroups may take e4m3 itself, in few cases: others are held to tighter bounds
   * on a device that has these, too.
   */
  DType products(AttentionCase c) {
    if (pairs && !isOfPairs(c)) {
      return DType.FLOAT32;
    }
    if (!c.options().isFloat8()) {
      return c.options().dtype();
    }
    if (float8 && isOfWarpgroups(c)) {
      return DType.FLOAT8_E4M3;
    }
    DType cached = c.cache().type();
    return cached.isQuantized() || cached == DType.FLOAT16 ? DType.FLOAT16 : DType.FLOAT32;
  }

  private boolean isOfPairs(AttentionCase c) {
    Options o = c.options();
    DType cache = c.cache() == null ? DType.BFLOAT16 : c.cache().type();
    boolean cached = cache == DType.BFLOAT16 || tiles && cache.isQuantized();
    boolean even = c.geometry().headDim() % 2 == 0;
    return o.dtype() == DType.BFLOAT16 && cached && even && o.positions().equals(Positions.NONE);
  }

  /**
   * Keys and values of e4m3 that lie as without a cache, with scales that sums are multiplied by.
   */
  private static boolean isOfWarpgroups(AttentionCase c) {
    Cache cache = c.cache();
    Options o = c.options();
    boolean general =
        o.softcap() > 0
            || o.hasBias()
            || o.mask() != Bias.NONE
            || o.relative() != null
            || o.blocks() != null
            || o.imageWindow() != null
            || o.modifier() != null
            || o.alibi() != Alibi.NONE
            || !o.rows().isEmpty()
            || o.gates().hasKeys()
            || o.gates().hasOutput()
            || o.dropout() > 0
            || o.weights()
            || o.scale() != null && o.scale() <= 0;
    return !general
        && cache.type() == DType.FLOAT8_E4M3
        && !cache.hasPages()
        && !cache.tree()
        && cache.scales() != Cache.Scales.ROW;
  }

  /** Unit roundoff of the weights where products take such factors; 0: they stay float32. */
  double weightUnit(DType products) {
    if (!roundsFactors() || products == DType.FLOAT32 || pairs && products != DType.BFLOAT16) {
      return 0;
    }
    return products == DType.FLOAT8_E4M3 ? FLOAT8_UNIT : Rounding.unit(products);
  }

  /**
   * What a sum of {@code terms} products loses because tensor cores cut where float32 arithmetic
   * rounds, in units of the sum of the products' sizes; derived at {@link Oracle}.
   *
   * @param tf32 whether products of float32 may round their factors
   */
  public double truncation(DType type, boolean tf32, long terms) {
    if (!tensorCores) {
      return 0;
    }
    if (type == DType.FLOAT8_E4M3) {
      return (terms / FLOAT8_PRODUCTS + 2) * FLOAT8_CUT;
    }
    double cut = 0x1p-23;
    if (type == DType.FLOAT32 && !tf32) {
      return 5 * cut;
    }
    return (terms / (type == DType.FLOAT32 ? TF32_PRODUCTS : HALF_PRODUCTS) + 2) * cut;
  }

  /** The least size as which products align a factor that is not 0; 0: as what it is. */
  public double leastFactor(DType type) {
    if (!tensorCores) {
      return 0;
    }
    return switch (type) {
      case FLOAT16 -> FLOAT16_NORMAL;
      case FLOAT8_E4M3 -> FLOAT8_NORMAL;
      default -> 0;
    };
  }

  /** Likewise of a weight of a forward, relative to the largest of its row. */
  double leastWeight(DType products) {
    boolean float8 = products == DType.FLOAT8_E4M3;
    return leastFactor(products) / (float8 ? FLOAT8_WEIGHTS : FORWARD_WEIGHTS);
  }

  /** Unit roundoff of every factor of a product; 0: factors are taken as they are. */
  double factorUnit(Options options) {
    boolean rounds = tensorCores && options.dtype() == DType.FLOAT32 && options.allowTf32();
    return rounds ? TF32 : 0;
  }
}
