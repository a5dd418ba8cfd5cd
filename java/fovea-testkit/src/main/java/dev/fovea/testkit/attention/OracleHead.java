package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import java.util.ArrayList;
import java.util.List;

/** One key/value head of a case, and the scores of query rows against its keys, in float64. */
final class OracleHead {

  /** Relative error of float32 arithmetic on scores: about seven roundings. */
  private static final double ARITHMETIC = 4e-7;

  private final AttentionCase c;
  private final Operands data;
  private final Geometry geometry;
  private final Options options;
  private final int[] cuQ;
  private final int[] cuK;
  private final double scale;
  private final DType products; // the type of their factors
  private final ModifierTrace modifier; // null: none
  private final List<LookUps> lookedUp = new ArrayList<>();
  private int loads;
  private final OracleRow row;
  private final RoundedFactors rounded; // null: products take their factors as they are
  private final Factors keysTransposed;
  private final Factors values;
  private final Factors positionsTransposed; // the row of the largest distance first
  private final KeyGates gates;
  private int batch;
  private double queryScale = 1;
  private int positionHead = -1; // whose keys of distances are loaded
  private int keys;
  private int begin;
  private boolean hidNaN;

  /**
   * A head of which nothing is loaded yet.
   *
   * @param precision what forms its products
   * @param rounded what rounded factors do to its rows; null where they are not rounded
   */
  OracleHead(AttentionCase c, Operands data, Precision precision, RoundedFactors rounded) {
    this.c = c;
    this.data = data;
    geometry = c.geometry();
    options = c.options();
    cuQ = geometry.cuQ();
    cuK = geometry.cuK();
    scale = options.scale() != null ? options.scale() : 1 / Math.sqrt(geometry.headDim());
    products = precision.products(c);
    double least = precision.leastFactor(products);
    keysTransposed = new Factors(geometry.headDim() * geometry.keyLength(), least);
    values = new Factors(geometry.keyLength() * geometry.valueHeadDim(), least);
    positionsTransposed = new Factors(geometry.headDim() * positionRows(), least);
    gates = new KeyGates(geometry.keyLength());
    row = new OracleRow(geometry, least);
    this.rounded = rounded;
    modifier =
        options.modifier() == null
            ? null
            : new ModifierTrace(c, data.modifierTable(), perProduct(geometry.headDim()));
  }

  /** Of each visible key, which column the modifier looked up, and what the score has of it. */
  private record LookUps(int[] columns, ModifierTrace.Bounded[] by) {}

  /** Gathers head {@code kv} of sequence {@code b}; true if it holds a NaN. */
  boolean load(int b, int kv) {
    batch = b;
    gates.clear();
    keys = geometry.lenK(b);
    boolean poisoned = false;
    Layout scales = c.layouts().queryScales();
    queryScale = scales == null ? 1 : data.queryScales()[scales.atBroadcast(b, kv, 0)];
    double keyScale = sharedScale(data.cache().keyScales(), b, kv);
    double valueScale = sharedScale(data.cache().valueScales(), b, kv);
    for (int j = 0; j < keys; j++) {
      int at = c.rowIndex(c.layouts().key(), cuK, b, j, kv);
      for (int d = 0; d < geometry.headDim(); d++) {
        keysTransposed.set(d * keys + j, data.key()[at + d] / keyScale, keyScale);
        poisoned |= Float.isNaN(data.key()[at + d]);
      }
      at = c.rowIndex(c.layouts().value(), cuK, b, j, kv);
      for (int d = 0; d < geometry.valueHeadDim(); d++) {
        int to = j * geometry.valueHeadDim() + d;
        values.set(to, data.value()[at + d] / valueScale, valueScale);
        poisoned |= Float.isNaN(data.value()[at + d]);
      }
    }
    return poisoned;
  }

  /**
   * What products of e4m3 are multiplied by, whose factors are elements without their scale: these
   * lie as in memory. Exact, since scales have few bits. 1 for others.
   */
  private double sharedScale(float[] scales, int b, int kv) {
    if (scales == null || products != DType.FLOAT8_E4M3) {
      return 1;
    }
    double scale = scales[c.cache().scaleLayout(geometry).atBroadcast(0, b, 0) + kv];
    return scale == 0 || Double.isNaN(scale) ? 1 : scale; // 0 of rows of zeros, NaN of no rows
  }

  /** Rows of keys of distances. */
  int positionRows() {
    Layout layout = c.layouts().positionKeys();
    return layout == null ? 0 : (int) layout.size()[1];
  }

  private void loadPositions(int h) {
    int rows = positionRows();
    for (int n = 0; n < rows && positionHead != h; n++) {
      int at = c.layouts().positionKeys().atBroadcast(0, n, h);
      for (int d = 0; d < geometry.headDim(); d++) {
        positionsTransposed.set(d * rows + rows - 1 - n, data.positions().keys()[at + d]);
      }
    }
    positionHead = h;
  }

  /** The column of {@link #positionsTransposed} for query {@code i} and key {@code j}. */
  int positionColumn(int i, int j) {
    long origin = options.positions().origin(geometry, options.visibility());
    return (int) (positionRows() - 1 - (origin + c.position(batch, i) - j));
  }

  /** The row of keys of distances that visible key {@code j} of query {@code i} meets. */
  int positionRow(int i, int j) {
    return positionRows() - 1 - positionColumn(i, begin + j);
  }

  private void loadQuery(Factors row, int at, float[] bias, Layout layout, int h) {
    for (int d = 0; d < geometry.headDim(); d++) {
      float query = data.query()[at + d];
      if (bias != null) {
        query = Rounding.round(options.dtype(), query + bias[layout.at(0, 0, h) + d]);
      }
      row.set(d, query, queryScale);
    }
  }

  private void multiply(int h, int i, int at, int end) {
    AttentionCase.Layouts layouts = c.layouts();
    row.begin(end - begin);
    if (rounded != null) {
      rounded.begin(row);
    }
    loadQuery(row.query(), at, data.positions().contentBias(), layouts.contentBias(), h);
    multiply(row.query(), keysTransposed, keys, begin);
    if (positionRows() > 0) {
      loadPositions(h);
      loadQuery(
          row.positionQuery(), at, data.positions().positionBias(), layouts.positionBias(), h);
      multiply(row.positionQuery(), positionsTransposed, positionRows(), positionColumn(i, begin));
    }
    row.scale(scale);
    if (rounded != null) {
      rounded.scale(row, scale);
    }
  }

  private void multiply(Factors query, Factors transposed, int stride, int first) {
    row.multiply(query, transposed, stride, first);
    if (rounded != null) {
      rounded.multiply(row, query, transposed, stride, first);
    }
  }

  /** The scores of query {@code i} of head {@code h} against the keys that it sees. */
  OracleRow scores(int h, int i) {
    begin = c.visibleBegin(batch, i);
    int end = Math.max(begin, c.visibleEnd(batch, i));
    int first = begin;
    begin = firstSeen(h, i, end);
    int at = c.rowIndex(c.layouts().query(), cuQ, batch, i, h);
    hidNaN = begin > first && holdsNaN(data.query(), at, geometry.headDim());
    multiply(h, i, at, end);
    if (modifier != null) {
      modify(h, i);
    }
    if (options.softcap() > 0) {
      if (rounded != null) {
        rounded.cap(row, options.softcap());
      }
      row.cap(options.softcap());
    }
    if (data.mask() != null) {
      int masks = rowIndex(c.layouts().mask(), h, i) + begin;
      row.hide(j -> data.mask()[masks + j] == 0);
    }
    if (data.cache().tree() != null) {
      row.hide(j -> !Cache.sees(c, data.cache().tree(), batch, i, begin + j));
    }
    if (data.blocks() != null) {
      row.hide(j -> !options.blocks().lists(data.blocks(), batch, h, i, begin + j));
    }
    if (options.imageWindow() != null) {
      long position = c.position(batch, i);
      row.hide(j -> !options.imageWindow().sees(position, begin + j));
    }
    addBias(h, i);
    return row;
  }

  private void modify(int h, int i) {
    for (int j = 0; j < row.count(); j++) {
      ModifierTrace.Value value = modified(h, i, j, row.score(j), row.error(j));
      row.modify(j, value.of(), value.by(0));
      for (int n = 1; n < value.by().length; n++) {
        if (lookedUp.size() < n) {
          lookedUp.add(
              new LookUps(
                  new int[geometry.keyLength()], new ModifierTrace.Bounded[geometry.keyLength()]));
        }
        lookedUp.get(n - 1).columns[j] = modifier.columns().get(n - 1);
        lookedUp.get(n - 1).by[j] = value.by(n);
      }
      loads = value.by().length - 1;
    }
  }

  private ModifierTrace.Value modified(int h, int i, int j, double score, double error) {
    return modifier.apply(batch, h, c.position(batch, i), begin + j, score, error);
  }

  /** How many numbers the modifier looked up for a score of the row. */
  int loads() {
    return loads;
  }

  /** Where the n-th of them is for visible key {@code j}, in a buffer of a table. */
  int loadIndex(Layout layout, int n, int h, int j) {
    return layout.atBroadcast(0, h, lookedUp.get(n).columns[j]);
  }

  /** The derivative of the modified score by it. */
  ModifierTrace.Bounded byLoad(int n, int j) {
    return lookedUp.get(n).by[j];
  }

  private static boolean holdsNaN(float[] values, int at, int count) {
    boolean found = false;
    for (int d = at; d < at + count; d++) {
      found |= Float.isNaN(values[d]);
    }
    return found;
  }

  /** Whether the query whose scores were asked for last holds a NaN and a span hides keys of it. */
  boolean hidNaN() {
    return hidNaN;
  }

  /**
   * The first key from {@code begin} on that no span hides: as behind a mask, a NaN is not seen.
   */
  private int firstSeen(int h, int i, int end) {
    int key = begin;
    for (int k = 0; k < options.rows().size(); k++) {
      double element = element(k, h, i);
      while (key < end && added(k, element, i, key) == Double.NEGATIVE_INFINITY) {
        key++;
      }
    }
    return key;
  }

  /** What row operand {@code k}, whose element is given, adds to the score of a key of query i. */
  private double added(int k, double element, int i, int key) {
    RowOperand it = options.rows().get(k);
    return it.kind().added(it.number(), element, c.position(batch, i), key);
  }

  private double element(int k, int h, int i) {
    return data.rows().get(k)[rowIndex(c.layouts().rows().get(k), h, i)];
  }

  private void addBias(int h, int i) {
    if (data.bias() != null) {
      int at = Operands.biasRow(c, c.layouts().bias(), cuQ, batch, h, i);
      for (int j = 0; j < row.count(); j++) {
        row.add(j, data.bias()[at + begin + j]);
      }
    }
    if (data.table() != null) {
      for (int j = 0; j < row.count(); j++) {
        row.add(j, data.table()[tableIndex(c.layouts().table(), h, i, j)]);
      }
    }
    if (data.alibi() != null) {
      double slope = data.alibi()[slopeIndex(c.layouts().alibi(), h)];
      for (int j = 0; j < row.count(); j++) {
        row.add(j, slope * distance(i, j));
      }
    }
    for (int k = 0; k < options.rows().size(); k++) {
      double element = element(k, h, i);
      for (int j = 0; j < row.count(); j++) {
        row.add(j, added(k, element, i, begin + j));
      }
    }
  }

  /** Where what is of a query row begins, in a buffer of such rows or elements. */
  int rowIndex(Layout layout, int h, int i) {
    return Operands.biasRow(c, layout, cuQ, batch, h, i);
  }

  /** What the element of row operand {@code k} moves the score of visible key {@code j} by. */
  double derivative(int k, int h, int i, int j) {
    RowOperand it = options.rows().get(k);
    return it.kind().derivative(it.number(), element(k, h, i), c.position(batch, i), begin + j);
  }

  /**
   * Where what is added by the distance of visible key {@code j} is, in a buffer of such or of
   * their gradients.
   */
  int tableIndex(Layout layout, int h, int i, int j) {
    long distance = begin + j - c.position(batch, i);
    return layout.at(0, h, options.relative().column(data.buckets(), distance));
  }

  /** Where the slope of head {@code h} is, in a buffer of slopes or of their gradients. */
  int slopeIndex(Layout layout, int h) {
    return layout.at(options.alibi() == Alibi.PER_BATCH_HEAD ? batch : 0, h, 0);
  }

  /** What a slope is multiplied by for the visible key {@code j} of query {@code i}. */
  double distance(int i, int j) {
    double distance = begin + j - c.position(batch, i);
    return options.causal() ? distance : -Math.abs(distance);
  }

  /** Drops weights of the row, and gates them, as products take them. */
  void drop(int h, int i) {
    if (options.dropout() > 0) {
      row.drop(begin, i, batch * geometry.queryHeads() + h, options);
    }
    if (data.keyGates() != null) {
      int at = gateIndex(c.layouts().keyGates(), h);
      gates.load(data.keyGates(), at, keys);
      row.gate(gates, begin);
    }
  }

  /** Index of the first key, in a buffer of gates of keys or of their gradients. */
  int gateIndex(Layout layout, int h) {
    return Gates.keyRow(geometry, layout, cuK, batch, h);
  }

  /** The logit of what multiplies column {@code d} of out. */
  double outputGate(int h, int i, int d) {
    Layout layout = c.layouts().outputGates();
    int row = c.rowIndex(layout, cuQ, batch, i, h);
    return data.outputGates()[row + (layout.size()[3] == 1 ? 0 : d)];
  }

  /** Gates of the keys of the row that was dropped last. */
  KeyGates gates() {
    return gates;
  }

  /** Keys of the head. */
  int length() {
    return keys;
  }

  /** The first key that the row sees. */
  int begin() {
    return begin;
  }

  /** Factor of the scores. */
  double scale() {
    return scale;
  }

  /** Keys by columns, [D, length]. */
  Factors keysTransposed() {
    return keysTransposed;
  }

  /** Keys of distances by columns, [D, rows], those of the largest distance first. */
  Factors positionsTransposed() {
    return positionsTransposed;
  }

  /** Values, [length, Dv]. */
  Factors values() {
    return values;
  }

  /**
   * Relative error of float32 arithmetic on scores, in units of the sum of the sizes of their
   * products. Keys of distances are as many products again, in a sum of their own that joins the
   * other by one more rounding.
   */
  double perScore() {
    Positions it = options.positions();
    int width = geometry.headDim();
    double product =
        it.hasKeys() ? perProduct(2 * width) + Rounding.unit(DType.FLOAT32) : perProduct(width);
    double perQueryScale = c.layouts().queryScales() == null ? 0 : Rounding.unit(DType.FLOAT32);
    return product + perScale() + perQueryScale;
  }

  /** What the scale of a cached key, or of a value, costs a product: a rounding. */
  double perScale() {
    boolean scaled = c.cache() != null && c.cache().scales() != Cache.Scales.NONE;
    return scaled ? Rounding.unit(DType.FLOAT32) : 0;
  }

  /** Relative error of a float32 sum of so many products, in units of the sum of their sizes. */
  double perProduct(int width) {
    return switch (c.content()) {
      case CONSTANT, OUTLIERS -> Math.max(ARITHMETIC, summation(width));
      default -> ARITHMETIC;
    };
  }

  /** Relative error of a float32 sum of {@code terms} terms that were summed in any order. */
  double summation(long terms) {
    double unit = Rounding.unit(DType.FLOAT32);
    return c.content() == Content.CONSTANT ? unit * terms : 2 * unit * Math.sqrt(terms);
  }
}
